//! The generated parts of `docs/reference/costs.md`, and the sentence in `README.md`.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    deployment::Line,
    example::{CONVERSATIONS, Install, TEXTS_EACH_WAY, thousand_texts},
    prices::{
        AWS_CALL_MS, CPU_FACTOR, CPU_MS, CPU_MS_PER_CALL, Item, OUTSIDE_CALL_MS, WHOLE_CPU_MB, bill, logged_by_lambda,
        total, traced,
    },
    rows::{Row, Rows},
    template::Settings,
    usage::Usage,
};

/// Everything that the page shows.
pub(super) struct Measured {
    pub(super) lines: BTreeMap<Line, Rows>,
    pub(super) settings: Settings,
}

impl Measured {
    fn thousand_texts(&self, line: Line, install: Install) -> Usage {
        thousand_texts(line, &self.lines[&line], install)
    }

    fn million_texts(&self, line: Line, install: Install) -> f64 {
        total(&self.thousand_texts(line, install).times(1000), &self.settings)
    }

    /// The page with new generated parts.
    pub(super) fn page(&self, page: &str) -> String {
        let parts = [("total", self.headline()), ("rows", self.rows()), ("example", self.example())];
        parts.iter().fold(page.to_owned(), |page, (name, part)| replaced(&page, name, part))
    }

    /// The README with the sum of the page.
    pub(super) fn readme(&self, readme: &str) -> String {
        let before = "A million texts cost about $";
        let (start, rest) = readme.split_once(before).unwrap();
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        format!("{start}{before}{}{rest}", self.dollars())
    }

    /// A million texts in whole dollars, rounded up.
    fn dollars(&self) -> String {
        format!("{:.0}", self.million_texts(Line::Sms, Install::OfChannel).ceil())
    }

    fn headline(&self) -> String {
        let whatsapp = self.million_texts(Line::WhatsApp, Install::OfChannel).ceil();
        format!(
            "A million texts cost **about ${}** over SMS and **about ${whatsapp:.0}** over WhatsApp. An idle stack costs **about $5 a month**.\n",
            self.dollars()
        )
    }

    fn rows(&self) -> String {
        let mut text = String::new();
        let mut shown: Vec<&Rows> = Vec::new();
        for (line, rows) in &self.lines {
            let heading = match line {
                Line::Sms => "",
                Line::SmsWithReports => "With `sms.delivery_reports` these rows differ:\n\n",
                Line::WhatsApp => "On WhatsApp these rows differ from those of SMS with reports, or else of SMS:\n\n",
            };
            text.push_str(heading);
            text.push_str(
                "| A webhook with a | API Gateway | Lambda | SQS FIFO | DynamoDB write / read units | LiveEngage | Channel | A million cost |\n\
                 | --- | :-: | :-: | :-: | :-: | :-: | :-: | ---: |\n",
            );
            for (row, usage) in rows {
                // The latest table that has the row holds for the lines after it.
                let before = shown.iter().rev().find_map(|rows| rows.get(row));
                if before.is_none_or(|before| !before.costs_as(usage)) {
                    text.push_str(&self.row(*row, usage));
                }
            }
            text.push('\n');
            shown.push(rows);
        }
        text
    }

    fn row(&self, row: Row, usage: &Usage) -> String {
        let work = usage.work();
        let calls: Vec<_> = usage.liveengage.iter().map(|(service, count)| format!("{count} {service}")).collect();
        let liveengage = if calls.is_empty() { "0".to_owned() } else { calls.join(", ") };
        format!(
            "| {} | {} | {} | {} | {} / {} | {liveengage} | {} | ${:.2} |\n",
            row.title(),
            usage.webhooks,
            work.invocations,
            usage.queue_requests(),
            work.written,
            work.read,
            usage.channel,
            total(usage, &self.settings) * 1e6,
        )
    }

    fn example(&self) -> String {
        let mut text = self.assumptions();
        let [needed, all] = [Install::OfChannel, Install::All]
            .map(|install| bill(&self.thousand_texts(Line::Sms, install), &self.settings));
        text.push_str(
            "| Part | List price | Counted | 1000 texts | With marks and typing | 1000 texts |\n\
             | --- | --- | ---: | ---: | ---: | ---: |\n",
        );
        for (needed, all) in needed.iter().zip(&all) {
            let (part, list) = (needed.part, needed.list);
            let (counted, dollars) = (&needed.counted, needed.dollars);
            writeln!(text, "| {part} | {list} | {counted} | ${dollars:.4} | {} | ${:.4} |", all.counted, all.dollars)
                .unwrap();
        }
        let sum = |bill: &[Item]| bill.iter().map(|item| item.dollars).sum::<f64>();
        writeln!(text, "| **Sum** | | | **${:.4}** | | **${:.4}** |", sum(&needed), sum(&all)).unwrap();
        text.push_str("\nA million texts, and the share of each service:\n\n");
        text.push_str(&self.million());
        text
    }

    fn assumptions(&self) -> String {
        let memory = &self.settings.memory;
        let (least, most) = (memory.values().min().unwrap(), memory.values().max().unwrap());
        let memory = if least == most { format!("{least} MB") } else { format!("{least} to {most} MB") };
        let (of_lambda, of_gateway) = (logged_by_lambda(&self.settings), self.settings.access_log);
        let usage = self.thousand_texts(Line::Sms, Install::OfChannel).times(1000);
        let traces = traced(&usage);
        let tracing = match self.settings.traces {
            true => format!("one for each webhook, ${traces:.2} for a million texts"),
            false => format!("none. With `Tracing=Active` they cost at most ${traces:.2} for a million texts"),
        };
        format!(
            "{TEXTS_EACH_WAY} texts each way in {CONVERSATIONS} conversations with new people, over an SMS line without reports. LiveEngage \
             sends an echo of\neach consumer's text. An app install with marks and typing, which SMS can't show, also gets a read mark for \
             each, and for each text of\nan agent that the agent types, and stops.\n\n\
             - CPU time: {CPU_MS} ms for each invocation and {CPU_MS_PER_CALL} ms for each call, as \
             [measured](../explanation/performance.md), and {CPU_FACTOR} times as much on Lambda with TLS.\n  \
             With {memory} a function gets its part of the {WHOLE_CPU_MB} MB that make a whole processor.\n\
             - Waiting: {AWS_CALL_MS} ms for each call to AWS, and {OUTSIDE_CALL_MS} ms for each to LiveEngage or to the channel.\n\
             - Logs: what the functions write, rounded up; {of_lambda} bytes of Lambda for each invocation; {of_gateway} bytes of API Gateway \
             for each webhook.\n\
             - Traces: {tracing}. Beyond one webhook a second, only 5 % have a trace.\n\n",
        )
    }

    fn million(&self) -> String {
        let cases = [
            ("SMS", Line::Sms, Install::OfChannel),
            ("SMS with marks and typing", Line::Sms, Install::All),
            ("SMS with reports", Line::SmsWithReports, Install::OfChannel),
            ("WhatsApp", Line::WhatsApp, Install::OfChannel),
        ];
        let bills =
            cases.map(|(_, line, install)| bill(&self.thousand_texts(line, install).times(1000), &self.settings));
        let sums = bills.each_ref().map(|bill| bill.iter().map(|item| item.dollars).sum::<f64>());
        let mut text = "| |".to_owned();
        cases.iter().for_each(|(name, ..)| write!(text, " {name} |").unwrap());
        text.push_str("\n| --- |");
        cases.iter().for_each(|_| text.push_str(" ---: |"));
        for (number, item) in bills[0].iter().enumerate() {
            write!(text, "\n| {} |", item.part).unwrap();
            for (bill, sum) in bills.iter().zip(sums) {
                let dollars = bill[number].dollars;
                write!(text, " ${dollars:.2} ({:.0} %) |", dollars / sum * 100.0).unwrap();
            }
        }
        text.push_str("\n| **Sum** |");
        sums.iter().for_each(|sum| write!(text, " **${sum:.2}** |").unwrap());
        text.push('\n');
        text
    }
}

/// Replaces the text between the marks of a part.
fn replaced(page: &str, name: &str, part: &str) -> String {
    let begin = format!("<!-- Generated by `tests/it/costs`: {name}. Don't edit. -->\n");
    let end = format!("<!-- End of {name}. -->\n");
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("the page has no mark {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("the page has no mark {end}"));
    format!("{before}{begin}\n{}\n\n{end}{after}", part.trim())
}

#[test]
fn a_part_is_replaced_between_its_marks() {
    let page = |part: &str| {
        format!("a\n<!-- Generated by `tests/it/costs`: x. Don't edit. -->\n{part}<!-- End of x. -->\nb\n")
    };
    assert_eq!(replaced(&page("old\n"), "x", "new\n"), page("\nnew\n\n"));
}
