//! A text as tables and values that know where they stand.
//!
//! ```text
//!   text --toml_parser--> events --Builder--> Table, and every mistake in it
//! ```
//!
//! What is TOML and how its strings and numbers are spelt is the parser's worry; which
//! table a key belongs to, and whether it may, is decided here. The crate `toml` does the
//! same for programs of all kinds, in 15 KB more; the tests hold the two against each other.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::slice;

use toml_parser::decoder::ScalarKind;
use toml_parser::parser::{self, Event, EventKind, RecursionGuard, ValidateWhitespace};
use toml_parser::{ErrorSink, Expected, ParseError, Source, Span};

use crate::model::sorted::Map;

/// Brackets in each other, and parts of a key: as many as `toml` allows.
const NEST_MAX: u32 = 80;

/// A value, and where it stands.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) span: Span,
    pub(super) value: Value<'a>,
}

#[derive(Debug)]
pub(super) enum Value<'a> {
    String(Cow<'a, str>),
    Integer(Integer<'a>),
    /// As it is spelt, without underscores.
    Float(Cow<'a, str>),
    Boolean(bool),
    /// Of a day, of an hour or of both: no key takes one, so it is not looked at.
    Date,
    Array(Array<'a>),
    Table(Table<'a>),
}

/// A number as it is spelt, without prefix and underscores.
#[derive(Debug)]
pub(super) struct Integer<'a> {
    pub(super) digits: Cow<'a, str>,
    pub(super) radix: u32,
}

#[derive(Debug, Default)]
pub(super) struct Array<'a> {
    pub(super) items: Vec<Node<'a>>,
    /// Made by `[[header]]`, so that the next one may add to it.
    is_of_tables: bool,
}

/// A key, known by what it says.
#[derive(Clone, Debug)]
pub(super) struct Name<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) span: Span,
}

#[derive(Debug, Default)]
pub(super) struct Table<'a> {
    pub(super) entries: Map<Name<'a>, Node<'a>>,
    /// Nobody has defined it yet: it is there because something below it is.
    is_implicit: bool,
    /// Defined by the dots in a key; no header may do that again.
    is_dotted: bool,
    /// Between braces, where all of it stands.
    is_inline: bool,
}

/// In what a path of keys stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Header,
    Dotted,
    Inline,
}

/// All tables of a text. `mistakes` hears of what is wrong; what can be read comes back all
/// the same.
pub(super) fn parse<'a>(text: &'a str, mistakes: &mut dyn ErrorSink) -> Table<'a> {
    let source = Source::new(text);
    let tokens = source.lex().into_vec();
    let mut events: Vec<Event> = Vec::with_capacity(tokens.len());
    let mut receiver = ValidateWhitespace::new(&mut events, source);
    let mut receiver = RecursionGuard::new(&mut receiver, NEST_MAX);
    parser::parse_document(&tokens, &mut receiver, mistakes);
    let builder = Builder {
        source,
        events: events.iter(),
        mistakes,
    };
    builder.document()
}

/// The first mistake of a text.
pub(super) fn first_mistake(text: &str) -> Option<ParseError> {
    let mut first = None;
    parse(text, &mut first);
    first
}

/// What is wrong, in words.
pub(super) fn words(mistake: &ParseError) -> String {
    let mut words = mistake.description().to_owned();
    let Some(expected) = mistake.expected() else {
        return words;
    };
    words += ", expected ";
    if expected.is_empty() {
        words += "nothing";
    }
    for (nth, expected) in expected.iter().enumerate() {
        if nth > 0 {
            words += ", ";
        }
        match expected {
            Expected::Literal("\n") => words += "newline",
            Expected::Literal("`") => words += "'`'",
            Expected::Literal(text) => words += &format!("`{text}`"),
            Expected::Description(text) => words += text,
            _ => words += "etc",
        }
    }
    words
}

impl Ord for Name<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl PartialOrd for Name<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Name<'_> {}

impl Borrow<str> for Name<'_> {
    fn borrow(&self) -> &str {
        &self.text
    }
}

/// As it stands in the file.
impl fmt::Display for Integer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.radix {
            2 => "0b",
            8 => "0o",
            16 => "0x",
            _ => "",
        };
        f.write_str(prefix)?;
        f.write_str(&self.digits)
    }
}

impl<'a> Value<'a> {
    pub(super) fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self {
            Some(text)
        } else {
            None
        }
    }

    pub(super) fn as_bool(&self) -> Option<bool> {
        if let Self::Boolean(flag) = self {
            Some(*flag)
        } else {
            None
        }
    }

    pub(super) fn as_integer(&self) -> Option<&Integer<'a>> {
        if let Self::Integer(number) = self {
            Some(number)
        } else {
            None
        }
    }

    pub(super) fn as_array(&self) -> Option<&[Node<'a>]> {
        if let Self::Array(array) = self {
            Some(&array.items)
        } else {
            None
        }
    }

    pub(super) fn as_table(&self) -> Option<&Table<'a>> {
        if let Self::Table(table) = self {
            Some(table)
        } else {
            None
        }
    }

    /// The table to go on in, or why that may not be.
    fn below(&mut self, way: Way) -> Result<&mut Table<'a>, Cow<'static, str>> {
        let kind = self.kind();
        let refused = || format!("cannot extend value of type {kind} with a dotted key").into();
        match self {
            Self::Table(table) if way != Way::Inline && table.is_inline => Err(refused()),
            Self::Table(table) if way != Way::Header && !table.is_implicit => {
                Err("duplicate key".into())
            }
            Self::Table(table) => {
                table.is_dotted |= way != Way::Header;
                Ok(table)
            }
            Self::Array(array) if array.is_of_tables => {
                let last = array.items.last_mut().map(|node| &mut node.value);
                let Some(Self::Table(table)) = last else {
                    return Err(refused()); // Cannot be: only tables come in there.
                };
                Ok(table)
            }
            Self::Array(_)
            | Self::String(_)
            | Self::Integer(_)
            | Self::Float(_)
            | Self::Boolean(_)
            | Self::Date => Err(refused()),
        }
    }

    /// What it is, for somebody who took it for a table.
    fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Integer(_) => "integer",
            Self::Float(_) => "float",
            Self::Boolean(_) => "boolean",
            Self::Date => "datetime",
            Self::Array(_) => "array",
            Self::Table(_) => "inline table",
        }
    }
}

/// A line in brackets: the table that the keys below it belong to.
struct Header<'a> {
    path: Vec<Name<'a>>,
    name: Option<Name<'a>>,
    span: Span,
    is_array: bool,
}

struct Builder<'a, 'e> {
    source: Source<'a>,
    events: slice::Iter<'e, Event>,
    mistakes: &'e mut dyn ErrorSink,
}

impl<'a> Builder<'a, '_> {
    fn document(mut self) -> Table<'a> {
        let mut root = Table::default();
        let mut header = None;
        let mut table = Table::default();
        while let Some(event) = self.events.next() {
            let kind = event.kind();
            if matches!(kind, EventKind::StdTableOpen | EventKind::ArrayTableOpen) {
                self.finish(&mut root, header.take(), table);
                let next = self.header(event);
                table = self.begin(&mut root, &next);
                header = Some(next);
            } else if kind == EventKind::SimpleKey {
                let (path, Some(name)) = self.key(event) else {
                    break;
                };
                self.skip_whitespace();
                if self.events.next().map(Event::kind) != Some(EventKind::KeyValSep) {
                    break;
                }
                self.skip_whitespace();
                let value = self.value();
                self.put(&mut table, Way::Dotted, &path, name, value);
            }
        }
        self.finish(&mut root, header, table);
        root
    }

    fn skip_whitespace(&mut self) {
        if self.peek(0) == Some(EventKind::Whitespace) {
            self.events.next();
        }
    }

    fn peek(&self, ahead: usize) -> Option<EventKind> {
        self.events.as_slice().get(ahead).map(Event::kind)
    }

    fn mistake(&mut self, words: impl Into<Cow<'static, str>>, name: &Name) {
        let mistake = ParseError::new(words).with_unexpected(name.span);
        self.mistakes.report_error(mistake);
    }

    // ---- tables -------------------------------------------------------------------

    fn header(&mut self, open: &Event) -> Header<'a> {
        let mut header = Header {
            path: Vec::new(),
            name: None,
            span: open.span(),
            is_array: open.kind() == EventKind::ArrayTableOpen,
        };
        while let Some(event) = self.events.next() {
            let kind = event.kind();
            if matches!(kind, EventKind::ArrayTableClose | EventKind::StdTableClose) {
                header.span = header.span.append(event.span());
                break;
            }
            if kind == EventKind::SimpleKey {
                (header.path, header.name) = self.key(event);
            }
        }
        header
    }

    /// The table of a header: a new one, or one of which so far only what is below it was
    /// defined. It is taken out, so that a mistake is told where it is defined again.
    fn begin(&mut self, root: &mut Table<'a>, header: &Header<'a>) -> Table<'a> {
        let mut table = Table::default();
        if !header.is_array
            && let (Some(parent), Some(name)) =
                (self.descend(root, Way::Header, &header.path), &header.name)
            && let Some(old) = parent.entries.remove(name)
        {
            let is_new =
                matches!(&old.value, Value::Table(old) if old.is_implicit && !old.is_dotted);
            if !is_new {
                self.mistake("duplicate key", name);
            }
            if let Value::Table(old) = old.value {
                table = old;
            }
        }
        table.is_implicit = false;
        table.is_dotted = false;
        table
    }

    /// Puts a table where its header says; what stands above all headers is the root.
    fn finish(&mut self, root: &mut Table<'a>, header: Option<Header<'a>>, table: Table<'a>) {
        let Some(header) = header else {
            *root = table;
            return;
        };
        let Some(name) = header.name else { return };
        let Some(parent) = self.descend(root, Way::Header, &header.path) else {
            return;
        };
        let span = header.span;
        let value = Value::Table(table);
        let node = Node { span, value };
        if !header.is_array {
            parent.entries.insert(name, node);
            return;
        }
        let array = Array {
            items: Vec::new(),
            is_of_tables: true,
        };
        let value = Value::Array(array);
        let list = parent
            .entries
            .get_or_insert(name.clone(), Node { span, value });
        if let Value::Array(array) = &mut list.value
            && array.is_of_tables
        {
            array.items.push(node);
        } else {
            self.mistake("duplicate key", &name);
        }
    }

    /// The table that a path leads to, made where it is not there.
    fn descend<'t>(
        &mut self,
        mut table: &'t mut Table<'a>,
        way: Way,
        path: &[Name<'a>],
    ) -> Option<&'t mut Table<'a>> {
        for name in path {
            let new = Table {
                entries: Map::new(),
                is_implicit: true,
                is_dotted: way != Way::Header,
                is_inline: way == Way::Inline,
            };
            let node = Node {
                span: name.span,
                value: Value::Table(new),
            };
            let found = table.entries.get_or_insert(name.clone(), node);
            table = match found.value.below(way) {
                Ok(table) => table,
                Err(words) => {
                    self.mistake(words, name);
                    return None;
                }
            };
        }
        Some(table)
    }

    /// Puts a value where its key says.
    fn put(
        &mut self,
        table: &mut Table<'a>,
        way: Way,
        path: &[Name<'a>],
        name: Name<'a>,
        value: Node<'a>,
    ) {
        let Some(table) = self.descend(table, way, path) else {
            return;
        };
        // What a header has defined gets no more by dots from elsewhere.
        let is_closed = !path.is_empty() && !table.is_implicit;
        if is_closed || table.entries.contains_key(&name) {
            self.mistake("duplicate key", &name);
            return;
        }
        table.entries.insert(name, value);
    }

    // ---- keys and values ----------------------------------------------------------

    /// The parts of a key, and the last one, which is `None` where there are too many.
    fn key(&mut self, first: &Event) -> (Vec<Name<'a>>, Option<Name<'a>>) {
        let mut path = vec![self.name(first)];
        while self.has_more() {
            let next = self
                .events
                .find(|event| event.kind() == EventKind::SimpleKey);
            path.extend(next.map(|event| self.name(event)));
        }
        let last = path.pop();
        if path.len() >= NEST_MAX as usize {
            self.mistakes
                .report_error(ParseError::new("recursion limit"));
            return (Vec::new(), None);
        }
        (path, last)
    }

    /// Whether a dot follows.
    fn has_more(&self) -> bool {
        let ahead = usize::from(self.peek(0) == Some(EventKind::Whitespace));
        self.peek(ahead) == Some(EventKind::KeySep)
    }

    fn name(&mut self, event: &Event) -> Name<'a> {
        let mut text = Cow::Borrowed("");
        if let Some(raw) = self.source.get(event) {
            raw.decode_key(&mut text, self.mistakes);
        }
        Name {
            text,
            span: event.span(),
        }
    }

    fn value(&mut self) -> Node<'a> {
        let event = self.events.next();
        let found = event.and_then(|event| self.value_from(event));
        found.unwrap_or(Node {
            span: Span::default(),
            value: Value::Integer(Integer {
                digits: "0".into(),
                radix: 10,
            }),
        })
    }

    /// The value that begins with this, if one does.
    fn value_from(&mut self, event: &Event) -> Option<Node<'a>> {
        let kind = event.kind();
        if kind == EventKind::Scalar {
            Some(self.scalar(event))
        } else if kind == EventKind::ArrayOpen {
            Some(self.array(event))
        } else if kind == EventKind::InlineTableOpen {
            Some(self.inline_table(event))
        } else {
            None
        }
    }

    fn scalar(&mut self, event: &Event) -> Node<'a> {
        let mut text = Cow::Borrowed("");
        let kind = match self.source.get(event) {
            Some(raw) => raw.decode_scalar(&mut text, self.mistakes),
            None => ScalarKind::String,
        };
        let value = match kind {
            ScalarKind::String => Value::String(text),
            ScalarKind::Boolean(flag) => Value::Boolean(flag),
            ScalarKind::DateTime => Value::Date,
            ScalarKind::Float => Value::Float(text),
            ScalarKind::Integer(radix) => Value::Integer(Integer {
                digits: text,
                radix: radix.value(),
            }),
        };
        Node {
            span: event.span(),
            value,
        }
    }

    fn array(&mut self, open: &Event) -> Node<'a> {
        let mut array = Array::default();
        let mut item = None;
        let mut span = open.span();
        while let Some(event) = self.events.next() {
            span = open.span().append(event.span());
            let kind = event.kind();
            if matches!(kind, EventKind::ValueSep | EventKind::ArrayClose) {
                array.items.extend(item.take());
                if kind == EventKind::ArrayClose {
                    break;
                }
            } else if let Some(value) = self.value_from(event) {
                item = Some(value);
            } else if !is_between(kind) {
                break; // The parser has complained of it.
            }
        }
        let value = Value::Array(array);
        Node { span, value }
    }

    fn inline_table(&mut self, open: &Event) -> Node<'a> {
        let mut table = Table {
            is_inline: true,
            ..Table::default()
        };
        let (mut key, mut item) = (None, None);
        let mut span = open.span();
        while let Some(event) = self.events.next() {
            span = open.span().append(event.span());
            let kind = event.kind();
            if kind == EventKind::SimpleKey {
                if let (path, Some(name)) = self.key(event) {
                    key = Some((path, name));
                }
            } else if matches!(kind, EventKind::ValueSep | EventKind::InlineTableClose) {
                if let (Some((path, name)), Some(value)) = (key.take(), item.take()) {
                    self.put(&mut table, Way::Inline, &path, name, value);
                }
                if kind == EventKind::InlineTableClose {
                    break;
                }
            } else if let Some(value) = self.value_from(event) {
                item = Some(value);
            } else if kind != EventKind::KeyValSep && !is_between(kind) {
                break; // The parser has complained of it.
            }
        }
        let value = Value::Table(table);
        Node { span, value }
    }
}

/// Whether it may stand between values.
fn is_between(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Whitespace | EventKind::Comment | EventKind::Newline | EventKind::Error
    )
}

#[cfg(test)]
mod tests {
    use toml::de::{DeTable, DeValue};

    use super::*;

    /// Numbers that look like chance (splitmix64).
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap()
        }
    }

    fn show(node: &Node) -> String {
        let at = format!("{:?}", node.span);
        match &node.value {
            Value::String(text) => format!("{at} {text:?}"),
            Value::Integer(number) => format!("{at} {} {number}", number.radix),
            Value::Float(text) => format!("{at} float {text}"),
            Value::Boolean(flag) => format!("{at} {flag}"),
            Value::Date => format!("{at} date"),
            Value::Array(array) => {
                let items: Vec<String> = array.items.iter().map(show).collect();
                format!("{at} [{}]", items.join(", "))
            }
            Value::Table(table) => format!("{at} {}", show_table(table)),
        }
    }

    fn show_table(table: &Table) -> String {
        let entries = table.entries.iter();
        let entries = entries
            .map(|(name, node)| format!("{:?} {:?} = {}\n", name.span, name.text, show(node)));
        format!("{{{}}}", entries.collect::<String>())
    }

    fn show_other(node: &toml::Spanned<DeValue>) -> String {
        let at = format!("{:?}", node.span());
        match node.get_ref() {
            DeValue::String(text) => format!("{at} {text:?}"),
            DeValue::Integer(number) => format!("{at} {} {number}", number.radix()),
            DeValue::Float(number) => format!("{at} float {}", number.as_str()),
            DeValue::Boolean(flag) => format!("{at} {flag}"),
            DeValue::Datetime(_) => format!("{at} date"),
            DeValue::Array(array) => {
                let items: Vec<String> = array.iter().map(show_other).collect();
                format!("{at} [{}]", items.join(", "))
            }
            DeValue::Table(table) => format!("{at} {}", show_other_table(table)),
        }
    }

    fn show_other_table(table: &DeTable) -> String {
        let entries = table.iter().map(|(name, node)| {
            let (at, text) = (name.span(), name.get_ref());
            format!("{at:?} {text:?} = {}\n", show_other(node))
        });
        format!("{{{}}}", entries.collect::<String>())
    }

    /// What the crate says of days and hours that there are none of: we do not look at them.
    fn is_about_a_date(message: &str) -> bool {
        let what = message.strip_prefix("invalid ").unwrap_or_default();
        [
            "date", "time", "month", "day", "hour", "minute", "second", "offset",
        ]
        .iter()
        .any(|part| what.starts_with(part))
    }

    fn agree(text: &str) {
        let mut mistakes = Vec::new();
        let ours = parse(text, &mut mistakes);
        let ours_wrong: Vec<_> = mistakes
            .iter()
            .map(|mistake| {
                let at = mistake.unexpected().map(|span| span.start()..span.end());
                (words(mistake), at)
            })
            .collect();
        let (theirs, errors) = DeTable::parse_recoverable(text);
        let theirs_wrong: Vec<_> = errors
            .iter()
            .map(|error| (error.message().to_owned(), error.span()))
            .filter(|(message, _)| !is_about_a_date(message))
            .collect();
        assert_eq!(ours_wrong, theirs_wrong, "{text}");
        assert_eq!(
            show_table(&ours),
            show_other_table(theirs.get_ref()),
            "{text}"
        );
        let first = first_mistake(text).map(|mistake| words(&mistake));
        assert_eq!(first, ours_wrong.first().map(|(words, _)| words.clone()));
    }

    const TEXTS: [&str; 34] = [
        "",
        "a = 1\na = 2\n",
        "a = { }\nb = {x=1,y={z=[1,2,{q=1}]}}\n[b]\n",
        "a = 1\n[a]\nb = 2\n",
        "a = 1\n[a.b]\nc = 2\n",
        "a.b = 1\na.c = 2\n[a]\nd = 3\n",
        "a.b = 1\n[a.c]\nd = 3\n",
        "[a]\nb.c = 1\n[a.b]\nd = 1\n",
        "[a.b]\nx = 1\n[a]\nb.c = 2\n",
        "[a.b.c]\nx = 1\n[a]\ny = 1\n[a.b]\nz = 2\n[a]\n",
        "[[a]]\nx = 1\n[[a]]\nx = 2\n[a.b]\ny = 3\n[[a.c]]\n[[a.c]]\nz = 1\n",
        "[a]\n[[a]]\n",
        "[[a]]\n[a]\n",
        "a = []\n[[a]]\n",
        "a = [{}]\n[a.b]\n",
        "[[a.b]]\nx = 1\n[a]\nb.c = 1\n",
        "[a]\nb = { c = 1 }\nb.d = 2\n[a.b.e]\n",
        "a = { b.c = 1, b.d = 2, b = 3, b.c.e = 4 }\n",
        "a = { b = 1, b.c = 2, \"b\".d = {} , b.d.e = 1 }\n",
        "a = { b = { c = 1 }, b.d = 2 }\n",
        "\"a b\".'c d'. e = \"\\u00e9\\n\\x41\"\n'' = ''\n\"\" = 1\n",
        "a = \"\"\"\nx \\\n   y\"\"\"\nb = '''\nz'''\n\"\"\"k\"\"\" = 1\n",
        "i = [0, +1, -1, 1_000, 0x1F, 0o17, 0b101, 01, 1__0, _1, 0xg, 9999999999999999999999]\n",
        "f = [1.5, -0.0, 1e5, 1_0.5e-3, inf, -inf, nan, .5, 5., 1e, 1.e5]\n",
        "d = [1979-05-27, 1979-05-27T07:32:00Z, 1979-05-27 07:32:00.5+01:00, 07:32:00, 2024-13-45]\n",
        "b = [true, false, True, tru, yes]\n",
        "a = [1 2, , 3,]\nb = [1,\n# c\n2\n]\nc = [\n",
        "a = {x = 1, }\nb = {x = 1 y = 2}\nc = {,}\nd = {\ne = 1\n",
        "a b = 1\n= 1\na. = 1\n.a = 1\na..b = 1\n[a..b]\n[]\n[a\n[[b]\n[c]]\n[d] x\n",
        "a\na =\na = # c\na = 'x\na = \"x\na = x y\na = 1 2\nb = x\"\n",
        "[child.a]\ncommand = [\"a\"]\nenv = { A = 1, B.C = 2 }\n[child.a.env]\nD = 1\n",
        "[child]\na = 1\n[child.a.b]\n[child.a]\nc = { d = 1 }\n[child.a.c]\n",
        "a.b.c.d = 1\na.b.c = 2\na.b = { }\na.b.c.d.e = 3\n[a.b.c]\n",
        "\u{feff}a = 1\r\nb = 2\r c = \u{7f}\n# \u{1}\n\té = 'é'\n",
    ];

    const PIECES: [&str; 40] = [
        "a",
        "b",
        "c",
        ".",
        "=",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        ",",
        "\n",
        " ",
        "#",
        "\"",
        "'",
        "'''",
        "\"\"\"",
        "\\",
        "1",
        "0x",
        "1.5",
        "1e9",
        "inf",
        "true",
        "1979-05-27",
        "_",
        "-",
        "+",
        "a = 1\n",
        "[a]\n",
        "[[a]]\n",
        "[a.b]\n",
        "a.b = 1\n",
        "a = {b = 1}\n",
        "\r",
        "\t",
        "é",
        "a.b.c = [1]\n",
    ];

    #[test]
    fn agrees_with_the_crate_toml() {
        let deep = |open: &str, close: &str| format!("a = {}{}", open.repeat(90), close.repeat(90));
        let long = vec!["a"; 90].join(".");
        let mut texts: Vec<String> = TEXTS.map(str::to_owned).to_vec();
        texts.extend([
            deep("[", "]"),
            deep("{a=", "}"),
            format!("{long} = 1\n[{long}]\nx = {{ {long} = 1 }}\nb = 1"),
            include_str!("../../tests/data/config/full.toml").to_owned(),
            include_str!("../../tests/data/config/groups.toml").to_owned(),
            include_str!("../../tests/data/config/mistakes.toml").to_owned(),
        ]);
        texts.iter().for_each(|text| agree(text));
        let mut dice = Dice(1);
        for _ in 0..10_000 {
            let mut text = TEXTS[dice.below(TEXTS.len())].to_owned();
            for _ in 0..=dice.below(6) {
                let border = |at: usize| (0..=at).rfind(|at| text.is_char_boundary(*at));
                let from = border(dice.below(text.len() + 1)).unwrap_or(0);
                let to = border(text.len().min(from + dice.below(6))).unwrap_or(0);
                let new = match dice.below(3) {
                    0 => TEXTS[dice.below(TEXTS.len())],
                    _ => PIECES[dice.below(PIECES.len())],
                };
                text.replace_range(from..to.max(from), new);
            }
            agree(&text);
        }
    }
}
