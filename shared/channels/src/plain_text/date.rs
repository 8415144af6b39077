//! Formats dates and times for consumers. In UTC, because structured content has no time zone.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use connector_message::rich_content::{DatePicker, ScheduleSlot, SlotTime};

/// The format of dates without a format of the sender.
const ISO: &str = "YYYY-MM-DD";

fn utc(at: Timestamp) -> DateTime {
    at.to_zoned(TimeZone::UTC).datetime()
}

/// The format of a date and the allowed dates: `dd-MM-YYYY, 01-04-2026 - 30-09-2026`.
pub(super) fn allowed(picker: &DatePicker) -> String {
    let format = picker.format.as_ref().map_or(ISO, |format| format.as_str().trim());
    let date = |at: Option<Timestamp>| at.map_or_else(|| "...".to_owned(), |at| formatted(utc(at), format));
    match (picker.earliest, picker.latest) {
        (None, None) => format.to_owned(),
        (earliest, latest) => format!("{format}, {} - {}", date(earliest), date(latest)),
    }
}

/// Formats a date in the sender's format if that has only digits for days, months and years. Otherwise in ISO 8601.
fn formatted(date: DateTime, format: &str) -> String {
    let (year, month, day) = (date.year(), date.month(), date.day());
    let mut text = String::new();
    for run in format.as_bytes().chunk_by(|a, b| a == b) {
        match run {
            b"yyyy" | b"YYYY" => text.push_str(&format!("{year:04}")),
            b"yy" | b"YY" => text.push_str(&format!("{:02}", year.rem_euclid(100))),
            b"MM" => text.push_str(&format!("{month:02}")),
            b"M" => text.push_str(&month.to_string()),
            b"dd" | b"DD" => text.push_str(&format!("{day:02}")),
            b"d" | b"D" => text.push_str(&day.to_string()),
            [b'-' | b'/' | b'.' | b' ' | b','] => text.extend(run.iter().copied().map(char::from)),
            _ => return format!("{year:04}-{month:02}-{day:02}"),
        }
    }
    text
}

/// Formats the period of an appointment: `2026-03-05 08:00-09:30 UTC`.
pub(super) fn period(slot: &ScheduleSlot) -> Option<String> {
    let minutes = |at: DateTime| at.strftime("%Y-%m-%d %H:%M").to_string();
    let one = |time: &SlotTime| match time {
        SlotTime::At(at) => format!("{} UTC", minutes(utc(*at))),
        SlotTime::Said(text) => text.as_str().trim().to_owned(),
    };
    Some(match (&slot.start, &slot.end) {
        (Some(SlotTime::At(start)), Some(SlotTime::At(end))) => {
            let (start, end) = (utc(*start), utc(*end));
            if start.date() == end.date() {
                format!("{}-{} UTC", minutes(start), end.strftime("%H:%M"))
            } else {
                format!("{} - {} UTC", minutes(start), minutes(end))
            }
        }
        (Some(start), Some(end)) => format!("{} - {}", one(start), one(end)),
        (Some(time), None) | (None, Some(time)) => one(time),
        (None, None) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector_message::MessageText;

    fn picker(format: Option<&str>, earliest: Option<i64>, latest: Option<i64>) -> DatePicker {
        let at = |seconds: Option<i64>| seconds.map(|seconds| Timestamp::from_second(seconds).unwrap());
        DatePicker {
            range: false,
            title: None,
            earliest: at(earliest),
            latest: at(latest),
            format: format.map(MessageText::new),
        }
    }

    #[test]
    fn dates_have_the_format_of_the_sender() {
        let (april, september) = (Some(1_775_001_600), Some(1_790_726_400));
        for (format, earliest, latest, shown) in [
            (Some("dd-MM-YYYY"), april, september, "dd-MM-YYYY, 01-04-2026 - 30-09-2026"),
            (Some("M/d/yy"), april, None, "M/d/yy, 4/1/26 - ..."),
            (Some("MMMM d, yyyy"), None, september, "MMMM d, yyyy, ... - 2026-09-30"),
            (None, april, september, "YYYY-MM-DD, 2026-04-01 - 2026-09-30"),
            (None, None, None, "YYYY-MM-DD"),
        ] {
            assert_eq!(allowed(&picker(format, earliest, latest)), shown);
        }
    }

    #[test]
    fn the_end_of_an_appointment_repeats_the_date_only_if_it_differs() {
        let at = |seconds| Some(SlotTime::At(Timestamp::from_second(seconds).unwrap()));
        let said = |text: &str| Some(SlotTime::Said(MessageText::new(text)));
        for (start, end, shown) in [
            (at(1_772_697_600), at(1_772_703_000), Some("2026-03-05 08:00-09:30 UTC")),
            (at(1_772_697_600), at(1_772_784_000), Some("2026-03-05 08:00 - 2026-03-06 08:00 UTC")),
            (at(1_772_697_600), said("noon"), Some("2026-03-05 08:00 UTC - noon")),
            (None, said("noon"), Some("noon")),
            (None, None, None),
        ] {
            let slot = ScheduleSlot { id: None, start, end, title: None, description: None, image: None };
            assert_eq!(period(&slot).as_deref(), shown);
        }
    }
}
