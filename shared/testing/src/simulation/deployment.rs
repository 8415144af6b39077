//! Deployments: a newer version of the functions runs beside the older one for a while, and queues messages that the older one can't read.

use jiff::SignedDuration;

use super::{agenda::Event, world::World};

/// How long a deployment takes at most.
const LONGEST: SignedDuration = SignedDuration::from_mins(3);

/// How every kind of queue message begins.
const TAG: &str = "\"task\":\"";

impl World {
    /// A deployment begins: new environments run the next version.
    pub(super) fn deploy(&mut self) {
        self.version += 1;
        self.agenda.note(format_args!("a deployment of version {} begins", self.version));
        let after = self.agenda.random.between(SignedDuration::ZERO, LONGEST);
        self.agenda.after(after, Event::Deployed(self.version));
    }

    /// A deployment ends: no environment of an older version gets an invocation any more.
    pub(super) fn deployed(&mut self, version: u64) {
        self.agenda.note(format_args!("version {version} is deployed"));
        self.oldest_version = self.oldest_version.max(version);
        self.environments.retain(|_, environment| environment.invocation.is_some() || environment.version >= version);
    }
}

/// Returns the body as this version writes it: each version has its own form of every kind of message.
pub(super) fn written(body: &str, version: u64) -> String {
    if version == 0 { body.to_owned() } else { with_versions(body, |_| version + 1) }
}

/// Returns the body as this version reads it: it knows the forms of all versions up to its own.
pub(super) fn read(body: &str, version: u64) -> String {
    with_versions(body, |form| if form <= version + 1 { 1 } else { form })
}

/// Whether this version knows the form of every message in a body.
pub(super) fn is_readable(body: &str, version: u64) -> bool {
    let mut newest = 0;
    with_versions(body, |form| {
        newest = newest.max(form);
        form
    });
    newest <= version + 1
}

/// Changes the form of each message in a body.
fn with_versions(body: &str, mut change: impl FnMut(u64) -> u64) -> String {
    let mut parts = body.split(TAG);
    let mut changed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        changed.push_str(TAG);
        let name = part.split('"').next().unwrap_or_default();
        let known = name.rsplit_once("_v").and_then(|(kind, form)| Some((kind, form.parse().ok()?)));
        match known {
            Some((kind, form)) => {
                changed.push_str(&format!("{kind}_v{}", change(form)));
                changed.push_str(&part[name.len()..]);
            }
            None => changed.push_str(part),
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_reads_what_it_and_older_ones_have_written() {
        let body = r#"{"task":"several_v1","tasks":[{"task":"notice_v1","text":"a \"task\":\"b_v1\" c"}]}"#;
        assert_eq!(written(body, 0), body);
        assert!(written(body, 2).contains(r#"{"task":"several_v3","tasks":[{"task":"notice_v3","#));
        for (writer, reader, is_read) in [(0, 0, true), (2, 2, true), (1, 4, true), (3, 2, false)] {
            assert_eq!(read(&written(body, writer), reader) == body, is_read, "{writer} {reader}");
            assert_eq!(is_readable(&written(body, writer), reader), is_read, "{writer} {reader}");
        }
    }
}
