//! Whole files in, events, problems and failures out.

use super::*;
use crate::testing;

fn leaked(file: &str) -> &'static Mapping {
    Box::leak(Box::new(compile(file).unwrap_or_else(|problems| panic!("{problems:?}"))))
}

fn problems(file: &str) -> Vec<String> {
    compile(file).map_or_else(|problems| problems.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

const HEAD: &str = "name = \"x\"\ndataset = \"x.y\"\nprefix = \"x.\"\n";

#[test]
fn the_example_files_pass_their_own_tests() {
    for file in [include_str!("../../mappings/bkav_endpoint.toml"), include_str!("../../mappings/viettel_endpoint.toml")] {
        let mapping = leaked(file);
        assert_eq!(mapping.failures(), [], "{}", mapping.name());
        assert!(mapping.tests() >= 3);
    }
}

#[test]
fn a_test_that_does_not_come_out_says_where_and_why() {
    let file = format!(
        "{HEAD}format = \"pairs\"\n[match]\nstarts = [\"k=\"]\n[fields]\nk = \"event.code\"\n[[test]]\nline = \"k=1\"\nexpect = {{ \"event.code\" = \"2\" }}\n[[test]]\nline = \"k=1\"\nabsent = [\"event.code\"]\n[[test]]\nline = \"none\"\nexpect = {{ \"event.code\" = \"2\" }}\n[[test]]\nline = \"k=1\"\nunreadable = true\n"
    );
    let failures = leaked(&file).failures();
    let messages: Vec<_> = failures.iter().map(|failure| (failure.line, failure.message.as_str())).collect();
    assert_eq!(
        messages,
        [
            (9, "event.code is \"1\", expected \"2\""),
            (12, "event.code should be absent, is \"1\""),
            (15, "the line could not be read: no key=value pairs"),
            (18, "the line was read, but should not be"),
        ]
    );
}

#[test]
fn patterns_are_tried_in_order_and_captures_have_shapes() {
    let mapping = leaked(&format!(
        r#"{HEAD}format = "pattern"
[match]
starts = ["AV "]
[[pattern]]
text = 'AV {{when:stamp}} {{source.ip:ip}}{{? port {{source.port:int}}?}} user={{who:quoted}}{{:text}}'
set = {{ "event.action" = "logged-in", "event.category" = ["authentication"] }}
[[pattern]]
text = 'AV {{what:word}} {{{{{{why:rest}}}}'
[fields]
when = "@timestamp"
who = {{ to = "user.name", as = "account" }}
why = "event.reason"
[time]
formats = ["%d.%m.%y %H:%M"]
zone = "Asia/Ho_Chi_Minh"
"#
    ));
    let run = |line: &str| testing::run(Some(mapping), line);
    assert_eq!(
        run(r#"AV 23.11.26 10:00 192.0.2.1 port 22 user="TINH\an" anything"#),
        r#"{"chieng.parser":"x","@timestamp":"2026-11-23T03:00:00Z","event.action":"logged-in","event.category":["authentication"],"event.dataset":"x.y","event.kind":"event","related.ip":["192.0.2.1"],"related.user":["an"],"source.ip":"192.0.2.1","source.port":22,"user.domain":"TINH","user.name":"an","x.when":"23.11.26 10:00","x.who":"TINH\\an"}"#
    );
    assert!(run(r#"AV 2026-11-23T03:00:00Z 2001:db8::1 user="a\"b""#).contains(r#""user.name":"a\"b""#));
    assert_eq!(
        run("AV stop {because } of } this}"),
        r#"{"chieng.parser":"x","event.dataset":"x.y","event.kind":"event","event.reason":"because } of } this","x.what":"stop","x.why":"because } of } this"}"#
    );
    assert!(run("AV x").contains("no pattern of the mapping fits the line"));
}

#[test]
fn columns_and_other_pairs() {
    let csv = leaked(&format!(
        "{HEAD}format = \"csv\"\n[match]\nstarts = [\"AV|\"]\n[csv]\nseparator = \"|\"\ncolumns = [\"\", \"ip\", \"port\", \"name\"]\n[fields]\nip = \"source.ip\"\nport = \"source.port\"\n"
    ));
    assert_eq!(
        testing::run(Some(csv), "AV|192.0.2.1|x|\"a|b\"|more"),
        r#"{"chieng.parser":"x","error.message":"a number could not be read","event.dataset":"x.y","event.kind":"event","related.ip":["192.0.2.1"],"source.ip":"192.0.2.1","x.ip":"192.0.2.1","x.name":"a|b","x.port":"x"}"#
    );
    let pairs = leaked(&format!(
        "{HEAD}format = \"pairs\"\n[match]\nstarts = [\"a:\"]\n[pairs]\nseparator = \"|\"\nequals = \":\"\n[fields]\na = \"event.code\"\n"
    ));
    assert_eq!(
        testing::run(Some(pairs), "a: 1 | b : two words|c"),
        r#"{"chieng.parser":"x","event.code":"1","event.dataset":"x.y","event.kind":"event","x.a":"1","x.b":"two words"}"#
    );
}

#[test]
fn problems_name_their_place() {
    assert_eq!(problems("name = "), ["1:8: string values must be quoted, expected literal string"]);
    assert_eq!(
        problems(&format!(
            "{HEAD}format = \"pattern\"\ncolour = 1\n[mach]\nstarts = [\"ab\"]\n[match]\nstarts = [\"a\"]\n[[pattern]]\ntext = \"{{a}}{{b}}\"\n[[pattern]]\ntext = \"{{a:wrod}} x\"\n[fields]\na = \"event.id\"\nb = {{ to = \"event.outcome\", map = \"none\", as = \"word\" }}\nc = \"no name\"\n[time]\nformats = [\"%Q\"]\nzone = \"Hanoi\"\n[set]\n\"source.port\" = \"x\"\n\"event.action\" = [\"a\", \"b\"]\n[[when]]\nkey = \"a\"\n[[test]]\nline = \"x\"\n"
        )),
        [
            "5:1: unknown key colour",
            "6:2: unknown key mach, did you mean match?",
            "8:1: words shorter than two characters would claim other formats' lines",
            "11:9: nothing stands between {a} and the next capture",
            "13:9: \"wrod\" is no shape: word, text, rest, int, hex, ip, quoted or stamp",
            "15:5: event.id belongs to the pipeline and cannot be set by a line",
            "16:35: there is no [maps.none]",
            "16:48: \"word\" is none of plain, lower, account, user, host, url, file, hash, transport, seconds, millis, time",
            "17:5: \"no name\" is no name of a field",
            "19:12: \"%Q\" is no format of a time",
            "20:8: \"Hanoi\" is no time zone, such as Asia/Ho_Chi_Minh",
            "22:17: source.port takes no text",
            "23:18: event.action takes one value",
            "24:1: key and is are needed",
            "26:1: a test says what it expects: expect, absent or unreadable",
        ]
    );
    assert_eq!(
        problems("prefix = \"event.\"\nformat = \"xml\"\nname = \"A b\"\n"),
        [
            "1:1: dataset is missing",
            "1:10: event. belongs to the fields of ECS: take the vendor's name",
            "2:10: \"xml\" is no format: pattern, json, pairs or csv",
            "3:8: name is made of small letters, digits and _, at most 64",
        ]
    );
    let long = format!("# {}", "x".repeat(FILE_BYTES_MAX));
    assert_eq!(problems(&long), [format!("1:1: the file is longer than {FILE_BYTES_MAX} bytes")]);
}

#[test]
fn matching_and_reading_are_bounded() {
    let mapping = leaked(&format!(
        "{HEAD}format = \"pattern\"\n[match]\nstarts = [\"xx\"]\n[[pattern]]\ntext = \"{{a:text}} a {{b:text}} a {{c:text}} a {{d:text}} b\"\n"
    ));
    let line = "x a ".repeat(20_000);
    assert!(testing::run(Some(mapping), &line).contains("no pattern"));
    let pairs = leaked(&format!("{HEAD}format = \"pairs\"\n[match]\nstarts = [\"k0\"]\n"));
    let line: String = (0..5000).map(|at| format!("k{at}=v ")).collect();
    let event = testing::run(Some(pairs), &line);
    assert!(event.contains("more keys than a line may have") && event.contains("\"x.k511\"") && !event.contains("\"x.k512\""));
}

/// Names are kept once, however often a file is loaded.
#[test]
fn loading_again_takes_no_more_names() {
    let file = include_str!("../../mappings/viettel_endpoint.toml");
    let (first, second) = (leaked(file), leaked(file));
    assert!(std::ptr::eq(first.name(), second.name()) && std::ptr::eq(first.programs(), second.programs()));
}

proptest::proptest! {
    #[test]
    fn compiling_never_panics(text in "\\PC{0,200}") {
        let _ = compile(&text);
        let _ = compile(&format!("{HEAD}format = \"pattern\"\n[match]\nstarts = [\"ab\"]\n[[pattern]]\ntext = '''{}'''\n", text.replace("'''", "")));
    }

    #[test]
    fn reading_never_panics(line in "\\PC{0,300}") {
        static MAPPINGS: std::sync::OnceLock<Vec<&'static Mapping>> = std::sync::OnceLock::new();
        let mappings = MAPPINGS.get_or_init(|| {
            vec![leaked(include_str!("../../mappings/bkav_endpoint.toml")), leaked(include_str!("../../mappings/viettel_endpoint.toml"))]
        });
        for mapping in mappings {
            let json: serde_json::Value = serde_json::from_str(&testing::run(Some(*mapping), &line)).unwrap();
            proptest::prop_assert!(json["event.kind"].is_string());
        }
    }
}
