//! The part of CloudWatch Logs Insights' query language that docs/reference/queries.md uses. Everything else is an error, so that the page
//! can't use anything untested.
//!
//! Supported: `fields`, `filter`, `parse` with a glob, `stats`, `sort`, `limit`, comments. `like` takes a text and not a regular
//! expression.

use std::{cmp::Ordering, collections::BTreeMap};

use jiff::Timestamp;
use serde_json::Value;

use super::tokens::{Token, tokens};

/// One row of a result, or one event: values by column.
pub(crate) type Row = BTreeMap<String, Value>;

/// Returns the result of a query over these events.
///
/// # Panics
///
/// If the query uses anything that is not supported.
pub(crate) fn run(query: &str, events: &[Value]) -> Vec<Row> {
    let mut rows: Vec<Row> = events.iter().map(flat).collect();
    let mut shown = vec!["@timestamp".to_owned(), "@message".to_owned()];
    let mut limit = None;
    for command in tokens(query).split(|token| *token == Token::Symbol("|")) {
        let mut reader = Reader { tokens: command, at: 0 };
        match reader.word().as_str() {
            "fields" => {
                shown.clear();
                reader.list(|reader| {
                    let field = reader.word();
                    let name = reader.alias().unwrap_or_else(|| field.clone());
                    for row in &mut rows {
                        if let Some(value) = row.get(&field).cloned() {
                            row.insert(name.clone(), value);
                        }
                    }
                    shown.push(name);
                });
            }
            "filter" => {
                let condition = reader.either();
                rows.retain(|row| condition.holds(row));
            }
            "parse" => reader.parse(&mut rows),
            "stats" => rows = reader.stats(rows, &mut shown),
            "sort" => {
                let field = reader.word();
                let is_descending = match reader.word_if_any().as_deref() {
                    None | Some("asc") => false,
                    Some("desc") => true,
                    Some(other) => panic!("sort ... {other}?"),
                };
                rows.sort_by(|a, b| {
                    let order = compare(a.get(&field), b.get(&field));
                    if is_descending { order.reverse() } else { order }
                });
            }
            "limit" => limit = Some(reader.number() as usize),
            other => panic!("the command {other} is not known here"),
        }
        reader.end();
    }
    rows.truncate(limit.unwrap_or(10_000));
    rows.into_iter().map(|row| row.into_iter().filter(|(name, _)| shown.contains(name)).collect()).collect()
}

/// Returns the fields that Insights discovers: nested objects and arrays by a path with dots, and Insights' own fields.
fn flat(event: &Value) -> Row {
    fn into(row: &mut Row, path: &str, value: &Value) {
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| into(row, &below(name), value)),
            Value::Array(all) => {
                all.iter().enumerate().for_each(|(at, value)| into(row, &below(&at.to_string()), value))
            }
            Value::Null => {}
            value => drop(row.insert(path.to_owned(), value.clone())),
        }
    }
    let mut row = Row::from([("@message".to_owned(), event.to_string().into())]);
    into(&mut row, "", event);
    for name in ["timestamp", "time"] {
        if let Some(at) = row.get(name).cloned() {
            row.insert("@timestamp".to_owned(), at);
        }
    }
    row
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => match (number(a), number(b)) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => text(a).cmp(&text(b)),
        },
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

enum Condition {
    Or(Vec<Self>),
    And(Vec<Self>),
    Not(Box<Self>),
    Present(String),
    Like(String, String),
    In(String, Vec<Value>),
    Compare(String, &'static str, Value),
}

impl Condition {
    fn holds(&self, row: &Row) -> bool {
        match self {
            Self::Or(any) => any.iter().any(|one| one.holds(row)),
            Self::And(all) => all.iter().all(|one| one.holds(row)),
            Self::Not(inner) => !inner.holds(row),
            Self::Present(field) => row.contains_key(field),
            Self::Like(field, part) => row.get(field).is_some_and(|value| text(value).contains(part)),
            Self::In(field, values) => values.iter().any(|value| compare(row.get(field), Some(value)).is_eq()),
            // A missing field is unequal to everything.
            Self::Compare(field, operator, value) => match (row.get(field), *operator) {
                (None, "!=") => true,
                (None, _) => false,
                (found, operator) => {
                    let order = compare(found, Some(value));
                    match operator {
                        "=" => order.is_eq(),
                        "!=" => order.is_ne(),
                        "<" => order.is_lt(),
                        "<=" => order.is_le(),
                        ">" => order.is_gt(),
                        ">=" => order.is_ge(),
                        other => panic!("the operator {other} is not known here"),
                    }
                }
            },
        }
    }
}

/// What `stats` computes for one column.
struct Aggregate {
    function: String,
    field: String,
    percent: f64,
    name: String,
}

impl Aggregate {
    fn of(&self, rows: &[Row]) -> Option<Value> {
        let values: Vec<&Value> = rows.iter().filter_map(|row| row.get(&self.field)).collect();
        let mut numbers: Vec<f64> = values.iter().filter_map(|value| number(value)).collect();
        numbers.sort_by(f64::total_cmp);
        let by_time = |latest: bool| {
            let with = rows.iter().filter(|row| row.contains_key(&self.field));
            let at = |row: &&Row| row.get("@timestamp").map(text);
            // If several events have the same time, the last one counts as the latest.
            let row = if latest { with.max_by_key(at) } else { with.min_by_key(at) };
            row.and_then(|row| row.get(&self.field)).cloned()
        };
        match self.function.as_str() {
            "count" if self.field == "*" => Some(rows.len().into()),
            "count" => Some(values.len().into()),
            "sum" => Some(numbers.iter().sum::<f64>().into()),
            "avg" if numbers.is_empty() => None,
            "avg" => Some((numbers.iter().sum::<f64>() / numbers.len() as f64).into()),
            "min" => values.into_iter().min_by(|a, b| compare(Some(a), Some(b))).cloned(),
            "max" => values.into_iter().max_by(|a, b| compare(Some(a), Some(b))).cloned(),
            "pct" => {
                let rank = (self.percent / 100.0 * numbers.len() as f64).ceil() as usize;
                numbers.get(rank.saturating_sub(1)).map(|number| (*number).into())
            }
            "latest" => by_time(true),
            "earliest" => by_time(false),
            other => panic!("the function {other} is not known here"),
        }
    }
}

/// Reads one command.
struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<&Token> {
        let token = self.tokens.get(self.at);
        self.at += 1;
        token
    }

    fn word(&mut self) -> String {
        match self.next() {
            Some(Token::Word(word)) => word.clone(),
            other => panic!("a name is missing; there is {other:?}"),
        }
    }

    fn word_if_any(&mut self) -> Option<String> {
        matches!(self.tokens.get(self.at), Some(Token::Word(_))).then(|| self.word())
    }

    fn number(&mut self) -> f64 {
        match self.next() {
            Some(Token::Number(number)) => *number,
            other => panic!("a number is missing; there is {other:?}"),
        }
    }

    fn value(&mut self) -> Value {
        match self.next() {
            Some(Token::Text(text)) => text.as_str().into(),
            Some(Token::Number(number)) => (*number).into(),
            other => panic!("a value is missing; there is {other:?}"),
        }
    }

    /// Whether this word comes next. If so, it is consumed.
    fn is(&mut self, wanted: &str) -> bool {
        let is = match self.tokens.get(self.at) {
            Some(Token::Symbol(symbol)) => *symbol == wanted,
            Some(Token::Word(word)) => word == wanted,
            _ => false,
        };
        self.at += usize::from(is);
        is
    }

    fn must(&mut self, wanted: &str) {
        assert!(self.is(wanted), "{wanted} is missing; there is {:?}", self.tokens.get(self.at));
    }

    fn end(&self) {
        assert!(self.at >= self.tokens.len(), "too much: {:?}", self.tokens.get(self.at..));
    }

    fn list(&mut self, mut one: impl FnMut(&mut Self)) {
        loop {
            one(self);
            if !self.is(",") {
                return;
            }
        }
    }

    fn alias(&mut self) -> Option<String> {
        self.is("as").then(|| self.word())
    }

    fn either(&mut self) -> Condition {
        let mut any = vec![self.both()];
        while self.is("or") {
            any.push(self.both());
        }
        Condition::Or(any)
    }

    fn both(&mut self) -> Condition {
        let mut all = vec![self.single()];
        while self.is("and") {
            all.push(self.single());
        }
        Condition::And(all)
    }

    fn single(&mut self) -> Condition {
        if self.is("not") {
            return Condition::Not(Box::new(self.single()));
        }
        if self.is("(") {
            let inner = self.either();
            self.must(")");
            return inner;
        }
        let field = self.word();
        if field == "ispresent" {
            self.must("(");
            let field = self.word();
            self.must(")");
            return Condition::Present(field);
        }
        if self.is("like") {
            return Condition::Like(field, text(&self.value()));
        }
        if self.is("in") {
            self.must("[");
            let mut values = Vec::new();
            self.list(|reader| values.push(reader.value()));
            self.must("]");
            return Condition::In(field, values);
        }
        let Some(Token::Symbol(operator)) = self.next().cloned() else { panic!("what about {field}?") };
        Condition::Compare(field, operator, self.value())
    }

    /// `parse field "a * b *" as x, y`: each asterisk matches the shortest text that fits. If the pattern doesn't match, there are no
    /// fields.
    fn parse(&mut self, rows: &mut [Row]) {
        let field = self.word();
        let glob = text(&self.value());
        self.must("as");
        let mut names = Vec::new();
        self.list(|reader| names.push(reader.word()));
        let pieces: Vec<&str> = glob.split('*').collect();
        assert_eq!(pieces.len(), names.len() + 1, "an asterisk for each name in {glob}");
        for row in rows {
            let Some(value) = row.get(&field).map(text) else { continue };
            let Some((_, mut rest)) = value.split_once(pieces[0]) else { continue };
            let mut found = Vec::new();
            for piece in &pieces[1..] {
                let split = if piece.is_empty() { Some((rest, "")) } else { rest.split_once(piece) };
                let Some((before, behind)) = split else { break };
                found.push(before.to_owned());
                rest = behind;
            }
            if found.len() == names.len() {
                row.extend(names.iter().cloned().zip(found.into_iter().map(Value::from)));
            }
        }
    }

    fn stats(&mut self, rows: Vec<Row>, shown: &mut Vec<String>) -> Vec<Row> {
        let mut aggregates = Vec::new();
        self.list(|reader| {
            let function = reader.word();
            reader.must("(");
            let field = if reader.is("*") { "*".to_owned() } else { reader.word() };
            let percent = if reader.is(",") { reader.number() } else { 0.0 };
            reader.must(")");
            let name = reader.alias().unwrap_or_else(|| format!("{function}({field})"));
            aggregates.push(Aggregate { function, field, percent, name });
        });
        let mut groups: BTreeMap<Vec<Option<String>>, Vec<Row>> = BTreeMap::new();
        let mut keys: Vec<(String, Option<i64>)> = Vec::new();
        if self.is("by") {
            self.list(|reader| {
                let field = reader.word();
                if field != "bin" {
                    return keys.push((field, None));
                }
                reader.must("(");
                let width = reader.word();
                reader.must(")");
                let minutes = width.strip_suffix('m').and_then(|minutes| minutes.parse::<i64>().ok());
                keys.push((format!("bin({width})"), Some(minutes.unwrap_or_else(|| panic!("bin({width})?")) * 60)));
            });
        }
        for row in rows {
            let key = |(field, width): &(String, Option<i64>)| match width {
                None => row.get(field).map(text),
                Some(seconds) => {
                    let at: Timestamp = row.get("@timestamp").map(text)?.parse().unwrap();
                    let begin = at.as_second().div_euclid(*seconds) * seconds;
                    Some(Timestamp::from_second(begin).unwrap().to_string())
                }
            };
            groups.entry(keys.iter().map(key).collect()).or_default().push(row);
        }
        *shown = keys.iter().map(|(name, _)| name.clone()).chain(aggregates.iter().map(|a| a.name.clone())).collect();
        let row = |(key, rows): (Vec<Option<String>>, Vec<Row>)| -> Row {
            let names = keys.iter().map(|(name, _)| name.clone());
            let keys = names.zip(key).filter_map(|(name, value)| Some((name, value?.into())));
            let values = aggregates.iter().filter_map(|a| Some((a.name.clone(), a.of(&rows)?)));
            keys.chain(values).collect()
        };
        groups.into_iter().map(row).collect()
    }
}
