//! Tests of the search language: what it reads, and where it points when it cannot.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: Expect) {
    let out = match compile(text, &Catalogue, &Window::default()) {
        Ok(compiled) => compiled.where_sql,
        Err(error) => format!("{:?} {}", &text[error.offset..error.offset + error.len], error.message),
    };
    expected.assert_eq(&out);
}

#[test]
fn words_and_phrases() {
    check("", expect!["true"]);
    check("failed SSH", expect!["match('failed') AND match('SSH')"]);
    check(r#""failed password" root*"#, expect![[r#"match('"failed password"') AND match('"root"*')"#]]);
    check(r#""it's \"here\"""#, expect![[r#"match('"it''s \"here\""')"#]]);
    check("nguyễn", expect!["match('nguyễn')"]);
}

#[test]
fn fields() {
    check("user.name:root", expect!["user.name = 'root'"]);
    check("user.name:ro*t", expect!["user.name LIKE 'ro%t'"]);
    check("url.path:/a_b*", expect!["prefix(url.path, '/a_b')"]);
    check("user.name:*", expect!["user.name IS NOT NULL"]);
    check("source.ip:10.0.0.0/8", expect!["cidr(source.ip, '10.0.0.0/8')"]);
    check("source.ip:2001:DB8:0::1", expect!["source.ip = '2001:db8::1'"]);
    check("destination.port>=1024 destination.port<2000", expect!["destination.port >= 1024 AND destination.port < 2000"]);
    check("message:\"log in\"", expect![[r#"match(message, '"log in"')"#]]);
    check("@timestamp>2026-01-31", expect!["timestamp > '2026-01-31T00:00:00Z'"]);
    check("user.name!=root", expect!["(user.name = 'root') IS NOT TRUE"]);
    check("user.name:\"o'hara\"", expect!["user.name = 'o''hara'"]);
}

#[test]
fn logic() {
    check("a or b c", expect!["match('a') OR (match('b') AND match('c'))"]);
    check("(a or b) and not c", expect!["(match('a') OR match('b')) AND (match('c')) IS NOT TRUE"]);
    check("-user.name:(root or admin)", expect!["(user.name IN ('root', 'admin')) IS NOT TRUE"]);
    check("user.name:(a b -c)", expect!["(user.name IN ('a', 'b')) AND (user.name = 'c') IS NOT TRUE"]);
    check("NOT NOT a", expect!["match('a')"]);
}

#[test]
fn words_that_look_like_fields() {
    check("https://a.vn/x", expect!["match('https://a.vn/x')"]);
    check("10:30:00", expect!["match('10:30:00')"]);
    check("fe80::1", expect!["match('fe80::1')"]);
    check("aa:bb:cc:00:11:22", expect!["match('aa:bb:cc:00:11:22')"]);
    check(r"C:\Windows", expect![[r#"match('"C:\\Windows"')"#]]);
    check("-5", expect!["match('-5')"]);
}

#[test]
fn errors_point_at_the_place() {
    check("a sourc.ip:1", expect![[r#""sourc.ip" unknown field sourc.ip; did you mean source.ip?"#]]);
    check("source.port:ssh", expect![[r#""ssh" source.port needs a whole number, not "ssh""#]]);
    check("(a or b", expect![[r#""(" this parenthesis is never closed"#]]);
    check("a) b", expect![[r#"")" this parenthesis was never opened"#]]);
    check("a or", expect![[r#""" a condition is missing at the end"#]]);
    check("or a", expect![[r#""or" a condition is missing before this; to search the word itself, put it in quotation marks"#]]);
    check("user.name:", expect![[r#""" a value for user.name is missing"#]]);
    check("x \"abc", expect![[r#""\"abc" the quotation mark is never closed"#]]);
    check("()", expect![[r#""(" the parentheses are empty"#]]);
    check("related.ip>5", expect![[r#""related.ip" related.ip cannot be compared by size; use related.ip:value"#]]);
    check(&"(".repeat(40), expect![[r#""(" too many parentheses inside each other"#]]);
}

#[test]
fn limits_and_windows_are_shown() {
    let window = Window { from: Some(0), to: Some(1_000_000), limit: Some(50) };
    let sql = compile("a or b", &Catalogue, &window).unwrap().sql;
    expect![
        "SELECT * FROM events WHERE timestamp >= '1970-01-01T00:00:00Z' AND timestamp < '1970-01-01T00:00:01Z' AND (match('a') OR match('b')) ORDER BY timestamp DESC, event.id DESC LIMIT 50"
    ]
    .assert_eq(&sql);
    assert!(compile(&"a ".repeat(1000), &Catalogue, &Window::default()).is_err());
}

/// The stable stand-in for a fuzzer: a bounded number of texts, made from the language's own pieces and from noise.
#[test]
fn fuzz_driver() {
    let pieces: [&[u8]; 56] = [
        b"a",
        b" ",
        b"(",
        b")",
        b"\"",
        b"\\",
        b"'",
        b":",
        b">",
        b"<=",
        b"!=",
        b"-",
        b"|",
        b"*",
        b"not ",
        b"or ",
        b"and ",
        b"user.name",
        b"source.ip",
        b"10.0.0.0/8",
        b"source.port",
        b"7",
        "ễ".as_bytes(),
        b"\xff",
        b"| where ",
        b"| eval x = ",
        b"| stats count() as n by ",
        b"| timechart span=1h dc(user.name) by ",
        b"| top 3 ",
        b"| dedup ",
        b"| sort -",
        b"| head 5",
        b"| table ",
        b"| fields - ",
        b"| rename user.name as who",
        b"| expand related.ip",
        b"| join user.name [",
        b"| sequence by user.name within 5m [a] [",
        b"| extract \"(?<x>a)\"",
        b"| search ",
        b"]",
        b"[",
        b"`",
        b",",
        b" = ",
        b" in (1, \"a\")",
        b" not ",
        b" + 1",
        b" like \"a*\"",
        b"lower(user.name)",
        b"bin(timestamp, 1d)",
        b"if(true, 1, n)",
        b"related.ip",
        b" is null",
        b"x",
        b"n",
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        let mut bytes = Vec::new();
        for _ in 0..12 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes.extend_from_slice(pieces[(seed % 56) as usize]);
        }
        fuzz_search(&bytes);
    }
}

proptest! {
    #[test]
    fn any_text_compiles_or_fails_in_place(text in "\\PC{0,40}") {
        fuzz_search(text.as_bytes());
    }
}

/// The whole statement of a search with commands, or what is wrong with it.
fn check_sql(text: &str, expected: Expect) {
    let out = match compile(text, &Catalogue, &Window::default()) {
        Ok(compiled) => compiled.sql,
        Err(error) => format!("{:?} {} {}", &text[error.offset..error.offset + error.len], error.problem.code(), error.message),
    };
    expected.assert_eq(&out);
}

#[test]
fn commands_become_one_readable_statement() {
    check_sql(
        "failed ssh | stats count() as n, dc(user.name) by source.ip | where n > 100 | sort -n | head 20",
        expect![[r#"
        WITH step1 AS (
          SELECT source.ip, count(*) AS n, count(DISTINCT user.name) AS "dc(user.name)"
          FROM events
          WHERE match('failed') AND match('ssh')
          GROUP BY source.ip
        )
        SELECT *
        FROM step1
        WHERE n > 100
        ORDER BY n DESC, source.ip
        LIMIT 20"#]],
    );
    check_sql(
        "failed | where source.port > 1000 and not user.name = \"root\" | head 5",
        expect![[r#"
        SELECT *
        FROM events
        WHERE match('failed') AND source.port > 1000 AND (user.name = 'root') IS NOT TRUE
        ORDER BY timestamp DESC, event.id DESC
        LIMIT 5"#]],
    );
    check_sql(
        "| sequence by user.name within 10m [event.outcome:failure] [event.outcome:success]",
        expect![[r#"
        WITH step1 AS (
          SELECT user.name, timestamp, event.id, CASE WHEN event.outcome = 'failure' THEN true ELSE false END AS "is step 1", CASE WHEN event.outcome = 'success' THEN true ELSE false END AS "is step 2"
          FROM events
          WHERE timestamp IS NOT NULL AND user.name IS NOT NULL AND ((event.outcome = 'failure') OR (event.outcome = 'success'))
        ),
        step2 AS (
          SELECT *, CASE WHEN "is step 1" THEN timestamp END AS "start 1"
          FROM step1
        ),
        step3 AS (
          SELECT *, CASE WHEN "is step 2" THEN max("start 1") OVER (PARTITION BY user.name ORDER BY timestamp, event.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) END AS "start 2"
          FROM step2
        )
        SELECT user.name, "start 2" AS "start", timestamp, date_part('epoch', timestamp) - date_part('epoch', "start 2") AS "seconds", event.id
        FROM step3
        WHERE timestamp <= "start 2" + INTERVAL '10 minutes'
        ORDER BY timestamp DESC, event.id DESC"#]],
    );
    check_sql(
        "| timechart span=1h count() by event.dataset",
        expect![[r#"
        WITH series1 AS (
          SELECT event.dataset AS charted
          FROM events
          WHERE event.dataset IS NOT NULL
          GROUP BY 1
          ORDER BY count(*) DESC, 1
          LIMIT 10
        )
        SELECT date_bin(INTERVAL '1 hours', timestamp, '1970-01-01T00:00:00+07:00') AS "timestamp", CASE WHEN event.dataset IS NULL THEN NULL WHEN charted IS NULL THEN 'OTHER' ELSE event.dataset END AS "event.dataset", count(*) AS "count"
        FROM events LEFT JOIN series1 ON series1.charted = event.dataset
        WHERE timestamp IS NOT NULL
        GROUP BY 1, 2
        ORDER BY timestamp, event.dataset"#]],
    );
    check_sql("| lookup systems on system.id", expect![[r#""systems" unknown_table unknown table systems; there are "#]]);
}

#[test]
fn errors_of_commands_point_at_the_place() {
    let mut out = String::new();
    for text in [
        "a | stat count()",
        "a | blubb",
        "a |",
        "a | | head",
        "a | head x",
        "a | head 0",
        "a | stats count() by usr.name",
        "a | stats cuont()",
        "a | stats dc()",
        "a | where user.name = root",
        "a | where user.name",
        "a | where source.port > \"ssh\"",
        "a | where source.ip > 10.0.0.1",
        "a | where related.ip > 5",
        "a | where timestamp > \"yesterday\"",
        "a | where (source.port > 5",
        "a | where source.port > 5)",
        "a | where count() > 5",
        "a | where lower() = 1",
        "a | where user.name ~ \"(\"",
        "a | stats count() by user.name | where source.ip = 10.0.0.1",
        "a | stats count() by user.name | search source.ip:10.0.0.1",
        "a | stats count() by user.name | search failed",
        "a | stats count() by user.name | timechart count()",
        "a | stats count() as n, dc(user.name) as n",
        "a | eval x = null",
        "a | eval x = if(true, 1, \"a\")",
        "a | eval x 1",
        "a | extract \"(\\\\w+)\"",
        "a | sort related.ip",
        "a | expand user.name",
        "a | rename user.name as source.ip",
        "a | lookup nothing on system.id",
        "a | join user.name [failed]",
        "a | join user.name [failed | stats count() by source.ip]",
        "a | join user.name [failed | stats cuont() by user.name]",
        "a | sequence by user.name within 10m [a]",
        "a | sequence by user.name [a] [b]",
        "a | sequence within 10m [a] [b | head]",
        "a | sequence within 10m [a] [usr.name:b]",
        "a | timechart span=5 count()",
        "a | head 5 head",
        "a | where a ; b",
        "a | where \"x",
        "a | sequence within 5m [a",
        "a | search (b",
        "a | eval x = source.port + user.name | sort y",
    ] {
        let error = compile(text, &Catalogue, &Window::default()).expect_err(text);
        let place = format!(
            "{}«{}»{}",
            &text[..error.offset],
            &text[error.offset..error.offset + error.len],
            &text[error.offset + error.len..]
        );
        out += &format!("{place}\n    {}: {}\n    {}\n", error.problem.code(), error.message, error.vietnamese());
    }
    expect![[r#"
        a | «stat» count()
            unknown_verb_near: unknown command stat; did you mean stats?
            không có lệnh stat; có phải là stats?
        a | «blubb»
            unknown_verb: unknown command blubb; there are where, search, eval, extract, stats, timechart, top, rare, dedup, sort, head, table, fields, rename, expand, lookup, join, sequence; to search the character |, put it in quotation marks
            không có lệnh blubb; các lệnh có: where, search, eval, extract, stats, timechart, top, rare, dedup, sort, head, table, fields, rename, expand, lookup, join, sequence; muốn tìm chính ký tự | thì đặt trong dấu ngoặc kép
        a |«»
            stage_missing: a command is missing after |: where, stats, sort …
            thiếu lệnh sau |: where, stats, sort …
        a | «»| head
            stage_missing: a command is missing after |: where, stats, sort …
            thiếu lệnh sau |: where, stats, sort …
        a | head «x»
            left_over: head ends before this; the next command follows a |
            head đã kết thúc trước chỗ này; lệnh tiếp theo đứng sau dấu |
        a | head «0»
            out_of_range: head takes a whole number from 1 to 1000000
            head nhận số nguyên từ 1 đến 1000000
        a | stats count() by «usr.name»
            not_a_field: there is no field usr.name at this stage; did you mean user.name?
            ở bước này không có trường usr.name; có phải là user.name?
        a | stats «cuont»()
            unknown_function: unknown function cuont
            không có hàm cuont
        a | stats «dc»()
            argument_count: dc is written dc(user.name)
            dc được viết là dc(user.name)
        a | where user.name = «root»
            not_a_field_text: there is no field root at this stage; text goes between quotation marks
            ở bước này không có trường root; văn bản đặt trong dấu ngoặc kép
        a | where «user.name»
            needs_condition: a condition is expected here, such as n > 100; this is text
            chỗ này phải là điều kiện, như n > 100; đây là văn bản
        a | where source.port > «"ssh"»
            needs_type: = needs number, this is "ssh"
            = cần số, đây là "ssh"
        a | where «source.ip» > 10.0.0.1
            not_by_size: source.ip cannot be compared by size; use source.ip:value
            không so sánh lớn bé được với source.ip; hãy viết source.ip:giá_trị
        a | where «related.ip» > 5
            list_not_here: related.ip is a list; use expand related.ip first, or =, in, ~ and like, which mean any element
            related.ip là danh sách; hãy dùng expand related.ip trước, hoặc =, in, ~, like (nghĩa là có một phần tử)
        a | where timestamp > «"yesterday"»
            needs_type: = needs time, this is "yesterday"
            = cần thời điểm, đây là "yesterday"
        a | where «(»source.port > 5
            parenthesis_open: this parenthesis is never closed
            dấu ngoặc này chưa được đóng
        a | where source.port > 5«)»
            parenthesis_unopened: this parenthesis was never opened
            dấu ngoặc này chưa được mở
        a | where «count»() > 5
            aggregate_here: count counts over many rows: it belongs into stats or timechart
            count tính trên nhiều dòng: chỉ dùng trong stats hoặc timechart
        a | where «lower()» = 1
            argument_count: lower is written lower(x)
            lower được viết là lower(x)
        a | where user.name ~ «"("»
            bad_pattern: this is no regular expression: unclosed group
            đây không phải biểu thức chính quy: unclosed group
        a | stats count() by user.name | where «source.ip» = 10.0.0.1
            not_a_field_text: there is no field source.ip at this stage; text goes between quotation marks
            ở bước này không có trường source.ip; văn bản đặt trong dấu ngoặc kép
        a | stats count() by user.name | search «source.ip»:10.0.0.1
            unknown_field: unknown field source.ip; to search the text, put it in quotation marks
            không có trường source.ip; muốn tìm văn bản thì đặt trong dấu ngoặc kép
        a | stats count() by user.name | search« failed»
            no_text_here: words can be searched only while event.original and message are there; use field:value
            chỉ tìm theo từ được khi còn event.original và message; hãy viết trường:giá_trị
        a | stats count() by user.name | «timechart count()»
            no_time: timechart needs the field timestamp, which is not there at this stage
            timechart cần trường timestamp, mà ở bước này không còn
        a | stats count() as n, dc(user.name) as «n»
            twice: n is named twice
            n được nêu hai lần
        a | eval x = «null»
            two_types: the results are null and null; they need one type
            các kết quả là giá trị trống và giá trị trống; phải cùng một kiểu
        a | eval x = «if(true, 1, "a")»
            two_types: the results are number and text; they need one type
            các kết quả là số và văn bản; phải cùng một kiểu
        a | eval x «1»
            expected_not: = is expected here, not 1
            chỗ này phải là =, không phải 1
        a | extract «"(\\w+)"»
            no_group: the pattern names no group: write (?<name>…) around the part to keep
            mẫu không đặt tên nhóm nào: hãy viết (?<tên>…) quanh phần cần lấy
        a | sort «related.ip»
            list_not_here: related.ip is a list; use expand related.ip first, or =, in, ~ and like, which mean any element
            related.ip là danh sách; hãy dùng expand related.ip trước, hoặc =, in, ~, like (nghĩa là có một phần tử)
        a | expand «user.name»
            expand_stored: expand takes a list field of events, such as related.ip; user.name is none
            expand nhận một trường danh sách của sự kiện, như related.ip; user.name thì không phải
        a | rename user.name as «source.ip»
            already_there: there is already a field source.ip; give another name with as
            đã có trường source.ip; hãy đặt tên khác bằng as
        a | lookup «nothing» on system.id
            unknown_table: unknown table nothing; there are 
            không có bảng nothing; các bảng có: 
        a | join user.name [«failed»]
            join_needs_columns: the search in brackets must end in stats, table, top or another command that names its columns
            câu tìm trong ngoặc vuông phải kết thúc bằng stats, table, top hoặc một lệnh nêu rõ các cột
        a | join «user.name» [failed | stats count() by source.ip]
            not_a_field_text: there is no field user.name at this stage; text goes between quotation marks
            ở bước này không có trường user.name; văn bản đặt trong dấu ngoặc kép
        a | join user.name [failed | stats «cuont»() by user.name]
            unknown_function: unknown function cuont
            không có hàm cuont
        a | sequence by user.name within 10m «[a]»
            sequence_steps: a sequence has 2 to 10 steps in brackets: [failed] [accepted]
            một chuỗi có từ 2 đến 10 bước trong ngoặc vuông: [failed] [accepted]
        a | sequence by user.name «[a]» [b]
            expected_not: within 10m is expected here, not [a]
            chỗ này phải là within 10m, không phải [a]
        a | sequence within 10m [a] [b «|» head]
            pipe_not_here: no | is possible inside these brackets; to search the character, put it in quotation marks
            trong ngoặc vuông này không dùng được |; muốn tìm chính ký tự này thì đặt trong dấu ngoặc kép
        a | sequence within 10m [a] [«usr.name»:b]
            unknown_field_near: unknown field usr.name; did you mean user.name?
            không có trường usr.name; có phải là user.name?
        a | timechart span=«5» count()
            bad_span: a span is a number and a unit: 30s, 5m, 1h, 1d, 1w
            khoảng thời gian là số và đơn vị: 30s, 5m, 1h, 1d, 1w
        a | head 5 «head»
            left_over: head ends before this; the next command follows a |
            head đã kết thúc trước chỗ này; lệnh tiếp theo đứng sau dấu |
        a | where a «;» b
            strange_character: the character ; has no meaning here; text goes between quotation marks
            ký tự ; không có nghĩa ở đây; văn bản đặt trong dấu ngoặc kép
        a | where «"x»
            quote_open: the quotation mark is never closed
            dấu ngoặc kép chưa được đóng
        a | sequence within 5m «[»a
            bracket_open: this bracket is never closed
            dấu ngoặc vuông này chưa được đóng
        a | search «(»b
            parenthesis_open: this parenthesis is never closed
            dấu ngoặc này chưa được đóng
        a | eval x = source.port + user.name | sort «y»
            not_a_field: there is no field y at this stage; did you mean x?
            ở bước này không có trường y; có phải là x?
    "#]].assert_eq(&out);
}

/// Every command and function of the lists can be written as its manual line says.
#[test]
fn usages_are_valid() {
    for verb in VERBS {
        let text = format!("| eval n = 1 | {}", verb.usage);
        let compiled = compile(&text, &Catalogue, &Window::default());
        let is_fine = compiled.as_ref().is_ok_and(|compiled| crate::dialect::parse(&compiled.sql).is_ok())
            || verb.name == "lookup" && compiled.as_ref().is_err_and(|error| error.problem == Problem::UnknownTable);
        assert!(is_fine, "{text}: {compiled:?}");
    }
    for function in FUNCTIONS.iter().filter(|function| !function.usage.contains('…')) {
        let usage =
            function.usage.replace("condition", "true").replace("length", "5").replace("start", "2").replace("digits", "2");
        let usage = usage
            .replace("(x,", "(user.name,")
            .replace("(x)", "(user.name)")
            .replace(", n)", ", 2)")
            .replace("2swith", "startswith");
        let usage = usage.replace(", a, b)", ", 1, 2)").replace("(a,", "(user.name,").replace(", b)", ", user.name)");
        let text = format!("| eval out = {usage}");
        let compiled = compile(&text, &Catalogue, &Window::default());
        assert!(compiled.as_ref().is_ok_and(|compiled| crate::dialect::parse(&compiled.sql).is_ok()), "{text}: {compiled:?}");
    }
    for aggregate in AGGREGATES {
        let text = format!("| stats {}", aggregate.usage);
        assert!(compile(&text, &Catalogue, &Window::default()).is_ok(), "{text}");
    }
}

/// The manual names every command, function and aggregate.
#[test]
fn the_manual_is_whole() {
    let manual = include_str!("../../../docs/guide/en/searching.md");
    let names = VERBS.iter().map(|verb| verb.name).chain(FUNCTIONS.iter().chain(AGGREGATES).map(|function| function.name));
    let missing: Vec<&str> = names.filter(|name| !manual.contains(&format!("`{name}"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
