//! What can be wrong with a search text: a stable code, its changing parts, and the sentence in both languages.
//!
//! The sentences say what was expected, in the words of the person who typed; the place is in the [`SearchError`]. A code
//! never changes its meaning: pages and tests may rely on it.

use std::fmt;

/// A text that is not of the search language, with the place to underline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SearchError {
    /// In bytes from the start of the text; on a character boundary.
    pub offset: usize,
    /// In bytes; 0 at the end of the text.
    pub len: usize,
    pub problem: Problem,
    /// The changing parts of the sentence, in the order of its `{0}`, `{1}` …
    pub args: Vec<String>,
    /// The sentence in English.
    pub message: String,
}

impl SearchError {
    pub(super) fn new<const N: usize>(offset: usize, len: usize, problem: Problem, args: [&dyn fmt::Display; N]) -> Self {
        let args: Vec<String> = args.iter().map(|arg| shortened(&arg.to_string())).collect();
        let message = filled(problem.english(), &args);
        Self { offset, len, problem, args, message }
    }

    /// The sentence in Vietnamese.
    pub fn vietnamese(&self) -> String {
        let words =
            |arg: &String| WORDS.iter().find(|(english, _)| english == arg).map_or(arg.clone(), |(_, own)| (*own).to_owned());
        filled(self.problem.vietnamese(), &self.args.iter().map(words).collect::<Vec<_>>())
    }

    /// Replaces one of the changing parts, however long it is.
    pub(super) fn with_arg(mut self, at: usize, arg: String) -> Self {
        self.args[at] = arg;
        self.message = filled(self.problem.english(), &self.args);
        self
    }

    /// Moves the place, for a text that is a part of another one.
    pub(super) fn behind(mut self, offset: usize) -> Self {
        self.offset += offset;
        self
    }
}

impl fmt::Display for SearchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at {})", self.message, self.offset)
    }
}

/// Changing parts that are words of ours and not of the text.
const WORDS: [(&str, &str); 22] = [
    ("a field name", "tên trường"),
    ("a table name", "tên bảng"),
    ("a column name", "tên cột"),
    ("a value", "một giá trị"),
    ("a pattern in quotation marks", "một mẫu trong dấu ngoặc kép"),
    ("a count or sum such as count()", "một phép tính như count()"),
    ("a search in [ ]", "một câu tìm trong [ ]"),
    ("text", "văn bản"),
    ("ip", "địa chỉ IP"),
    ("number", "số"),
    ("true/false", "đúng/sai"),
    ("time", "thời điểm"),
    ("span", "khoảng thời gian"),
    ("list", "danh sách"),
    ("null", "giá trị trống"),
    ("within 10m", "within 10m"),
    ("as", "as"),
    ("where, stats, sort", "where, stats, sort"),
    ("10.0.0.0/8", "10.0.0.0/8"),
    ("(", "("),
    (")", ")"),
    ("=", "="),
];

/// Longest quotation from the text inside a sentence, in characters.
const QUOTED_MAX: usize = 80;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(QUOTED_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn filled(template: &str, args: &[String]) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        let index = rest.as_bytes().get(at + 1).map_or(usize::MAX, |digit| usize::from(digit.wrapping_sub(b'0')));
        out.push_str(args.get(index).map_or("", String::as_str));
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    out + rest
}

macro_rules! problems {
    ($($name:ident $code:literal $english:literal $vietnamese:literal)*) => {
        /// One kind of mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Problem {
            $(#[doc = $english] $name,)*
        }

        impl Problem {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable name, for programs.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            fn english(self) -> &'static str {
                match self {
                    $(Self::$name => $english,)*
                }
            }

            fn vietnamese(self) -> &'static str {
                match self {
                    $(Self::$name => $vietnamese,)*
                }
            }
        }
    };
}

#[rustfmt::skip]
problems! {
    // the whole text
    TooLong "too_long" "the search is longer than {0} KiB" "câu tìm dài hơn {0} KiB"
    TooCostly "too_costly" "the search is too long to be run in one piece; use fewer conditions or stages" "câu tìm quá dài để chạy một lần; hãy bớt điều kiện hoặc bớt bước"
    TooManyStages "too_many_stages" "a search has at most {0} stages" "một câu tìm có nhiều nhất {0} bước"
    TooManyConditions "too_many_conditions" "a search has at most {0} conditions" "một câu tìm có nhiều nhất {0} điều kiện"
    TooDeep "too_deep" "too many parentheses inside each other" "quá nhiều ngoặc lồng nhau"
    QuoteOpen "quote_open" "the quotation mark is never closed" "dấu ngoặc kép chưa được đóng"
    ParenthesisOpen "parenthesis_open" "this parenthesis is never closed" "dấu ngoặc này chưa được đóng"
    ParenthesisUnopened "parenthesis_unopened" "this parenthesis was never opened" "dấu ngoặc này chưa được mở"
    ParenthesesEmpty "parentheses_empty" "the parentheses are empty" "trong ngoặc không có gì"
    BracketOpen "bracket_open" "this bracket is never closed" "dấu ngoặc vuông này chưa được đóng"
    // conditions of the search box
    ConditionMissingAtEnd "condition_missing_at_end" "a condition is missing at the end" "thiếu một điều kiện ở cuối"
    ConditionMissingBefore "condition_missing_before" "a condition is missing before this; to search the word itself, put it in quotation marks" "thiếu một điều kiện ở trước; muốn tìm chính từ này thì đặt trong dấu ngoặc kép"
    FieldMissingBefore "field_missing_before" "a field name belongs before {0}" "trước {0} phải có tên trường"
    SomethingMissingBefore "something_missing_before" "something is missing before this" "thiếu một phần ở trước chỗ này"
    SomethingMissingBeforeWord "something_missing_before_word" "something belongs before \"{0}\"; to search the word, put it in quotation marks" "trước \"{0}\" còn thiếu một phần; muốn tìm chính từ này thì đặt trong dấu ngoặc kép"
    WordMissing "word_missing" "a word is missing here" "thiếu một từ ở đây"
    StarInsideWord "star_inside_word" "a word may end in *, not begin with it or hold it inside; put it in quotation marks to search the asterisk" "dấu * chỉ được đứng ở cuối từ; muốn tìm chính dấu * thì đặt trong dấu ngoặc kép"
    StarInsideText "star_inside_text" "a word of a text may end in *, not hold it elsewhere" "dấu * chỉ được đứng ở cuối từ"
    StarNotText "star_not_text" "{0} holds no text, * is not possible here" "{0} không phải văn bản nên không dùng * được"
    ValueMissing "value_missing" "a value for {0} is missing" "thiếu giá trị cho {0}"
    ValuesJoinedByOr "values_joined_by_or" "inside a field's parentheses values are joined by or" "trong ngoặc của một trường, các giá trị nối với nhau bằng or"
    NotBySize "not_by_size" "{0} cannot be compared by size; use {0}:value" "không so sánh lớn bé được với {0}; hãy viết {0}:giá_trị"
    TextByWord "text_by_word" "{0} is a text; use {0}:word" "{0} là văn bản; hãy viết {0}:từ"
    NeedsInteger "needs_integer" "{0} needs a whole number, not \"{1}\"" "{0} cần một số nguyên, không phải \"{1}\""
    NeedsNumber "needs_number" "{0} needs a number, not \"{1}\"" "{0} cần một số, không phải \"{1}\""
    NeedsBoolean "needs_boolean" "{0} needs true or false, not \"{1}\"" "{0} cần true hoặc false, không phải \"{1}\""
    NeedsTime "needs_time" "{0} needs a time such as 2026-01-31 or 2026-01-31T07:00:00+07:00, not \"{1}\"" "{0} cần thời điểm như 2026-01-31 hoặc 2026-01-31T07:00:00+07:00, không phải \"{1}\""
    UnknownFieldNear "unknown_field_near" "unknown field {0}; did you mean {1}?" "không có trường {0}; có phải là {1}?"
    UnknownField "unknown_field" "unknown field {0}; to search the text, put it in quotation marks" "không có trường {0}; muốn tìm văn bản thì đặt trong dấu ngoặc kép"
    PipeNotHere "pipe_not_here" "no | is possible inside these brackets; to search the character, put it in quotation marks" "trong ngoặc vuông này không dùng được |; muốn tìm chính ký tự này thì đặt trong dấu ngoặc kép"
    NoTextHere "no_text_here" "words can be searched only while event.original and message are there; use field:value" "chỉ tìm theo từ được khi còn event.original và message; hãy viết trường:giá_trị"
    // stages
    StageMissing "stage_missing" "a command is missing after |: {0} …" "thiếu lệnh sau |: {0} …"
    UnknownVerbNear "unknown_verb_near" "unknown command {0}; did you mean {1}?" "không có lệnh {0}; có phải là {1}?"
    UnknownVerb "unknown_verb" "unknown command {0}; there are {1}; to search the character |, put it in quotation marks" "không có lệnh {0}; các lệnh có: {1}; muốn tìm chính ký tự | thì đặt trong dấu ngoặc kép"
    Expected "expected" "{0} is expected here" "chỗ này phải là {0}"
    ExpectedNot "expected_not" "{0} is expected here, not {1}" "chỗ này phải là {0}, không phải {1}"
    StrangeCharacter "strange_character" "the character {0} has no meaning here; text goes between quotation marks" "ký tự {0} không có nghĩa ở đây; văn bản đặt trong dấu ngoặc kép"
    LeftOver "left_over" "{0} ends before this; the next command follows a |" "{0} đã kết thúc trước chỗ này; lệnh tiếp theo đứng sau dấu |"
    NotAField "not_a_field" "there is no field {0} at this stage; did you mean {1}?" "ở bước này không có trường {0}; có phải là {1}?"
    NotAFieldText "not_a_field_text" "there is no field {0} at this stage; text goes between quotation marks" "ở bước này không có trường {0}; văn bản đặt trong dấu ngoặc kép"
    NoTime "no_time" "{0} needs the field timestamp, which is not there at this stage" "{0} cần trường timestamp, mà ở bước này không còn"
    NoEventId "no_event_id" "{0} needs the field event.id, which is not there at this stage" "{0} cần trường event.id, mà ở bước này không còn"
    AlreadyThere "already_there" "there is already a field {0}; give another name with as" "đã có trường {0}; hãy đặt tên khác bằng as"
    Twice "twice" "{0} is named twice" "{0} được nêu hai lần"
    OutOfRange "out_of_range" "{0} takes a whole number from {1} to {2}" "{0} nhận số nguyên từ {1} đến {2}"
    BadSpan "bad_span" "a span is a number and a unit: 30s, 5m, 1h, 1d, 1w" "khoảng thời gian là số và đơn vị: 30s, 5m, 1h, 1d, 1w"
    UnknownTable "unknown_table" "unknown table {0}; there are {1}" "không có bảng {0}; các bảng có: {1}"
    UnknownColumn "unknown_column" "the table {0} has no column {1}; it has {2}" "bảng {0} không có cột {1}; các cột có: {2}"
    JoinNeedsColumns "join_needs_columns" "the search in brackets must end in stats, table, top or another command that names its columns" "câu tìm trong ngoặc vuông phải kết thúc bằng stats, table, top hoặc một lệnh nêu rõ các cột"
    KeyTypes "key_types" "{0} is {1} and {2} is {3}: they can never be equal" "{0} là {1} còn {2} là {3}: không bao giờ bằng nhau"
    SequenceSteps "sequence_steps" "a sequence has 2 to {0} steps in brackets: [failed] [accepted]" "một chuỗi có từ 2 đến {0} bước trong ngoặc vuông: [failed] [accepted]"
    SequenceOfParts "sequence_of_parts" "sequence goes through events, not through parts of them: put it before expand" "sequence xét từng sự kiện, không xét từng phần: hãy đặt trước expand"
    BadPattern "bad_pattern" "this is no regular expression: {0}" "đây không phải biểu thức chính quy: {0}"
    NoGroup "no_group" "the pattern names no group: write (?<name>…) around the part to keep" "mẫu không đặt tên nhóm nào: hãy viết (?<tên>…) quanh phần cần lấy"
    ExpandStored "expand_stored" "expand takes a list field of events, such as related.ip; {0} is none" "expand nhận một trường danh sách của sự kiện, như related.ip; {0} thì không phải"
    // expressions
    UnknownFunctionNear "unknown_function_near" "unknown function {0}; did you mean {1}?" "không có hàm {0}; có phải là {1}?"
    UnknownFunction "unknown_function" "unknown function {0}" "không có hàm {0}"
    AggregateHere "aggregate_here" "{0} counts over many rows: it belongs into stats or timechart" "{0} tính trên nhiều dòng: chỉ dùng trong stats hoặc timechart"
    ArgumentCount "argument_count" "{0} is written {1}" "{0} được viết là {1}"
    NeedsType "needs_type" "{0} needs {1}, this is {2}" "{0} cần {1}, đây là {2}"
    NeedsConstant "needs_constant" "{0} needs {1} written out here, not a field" "{0} cần {1} viết thẳng ở đây, không phải trường"
    NeedsCondition "needs_condition" "a condition is expected here, such as n > 100; this is {0}" "chỗ này phải là điều kiện, như n > 100; đây là {0}"
    NeverEqual "never_equal" "{0} and {1} cannot be compared" "không so sánh được {0} với {1}"
    ListNotHere "list_not_here" "{0} is a list; use expand {0} first, or =, in, ~ and like, which mean any element" "{0} là danh sách; hãy dùng expand {0} trước, hoặc =, in, ~, like (nghĩa là có một phần tử)"
    TwoTypes "two_types" "the results are {0} and {1}; they need one type" "các kết quả là {0} và {1}; phải cùng một kiểu"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Both sentences use the same parts, and no code is used twice.
    #[test]
    fn sentences_are_whole_in_both_languages() {
        let parts = |text: &str| -> BTreeSet<String> {
            text.match_indices('{').map(|(at, _)| text.get(at..at + 3).unwrap().to_owned()).collect()
        };
        let mut codes = BTreeSet::new();
        for problem in Problem::ALL {
            assert_eq!(parts(problem.english()), parts(problem.vietnamese()), "{problem:?}");
            assert!(codes.insert(problem.code()), "{problem:?}");
        }
        let error = SearchError::new(1, 2, Problem::NeedsInteger, [&"source.port", &"a{0}b"]);
        assert_eq!(error.message, "source.port needs a whole number, not \"a{0}b\"");
        assert_eq!(error.vietnamese(), "source.port cần một số nguyên, không phải \"a{0}b\"");
    }
}
