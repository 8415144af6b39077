//! Where a secret comes from: a file, or standard input.

use std::{io::Read as _, path::Path};

use secrecy::SecretString;

/// The longest secret that Secrets Manager takes, in bytes.
const LONGEST: usize = 65_536;

/// What was read, and what is to be said of the file.
#[derive(Debug)]
pub(crate) struct Source {
    /// The secret, without blanks around it.
    pub(crate) secret: SecretString,
    /// Sentences for standard error.
    pub(crate) warnings: Vec<String>,
}

/// Reads a file, or standard input for `-`.
///
/// # Errors
/// A sentence that names the file and nothing in it.
pub(crate) fn read(path: &Path) -> Result<Source, String> {
    let name = path.display();
    let mut bytes = Vec::new();
    // One more than is allowed, to see that it is too long, and not the whole of what somebody has mixed up.
    let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    let mut warnings = Vec::new();
    let outcome = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| {
            warnings.extend(open_to_others(&file.metadata()?).map(|mode| {
                format!("{name} can be read by other users (mode {mode:o}): `chmod 600 {name}`, and delete it when it is stored.")
            }));
            file.take(limit).read_to_end(&mut bytes)
        })
    };
    outcome.map_err(|error| format!("{name} can't be read: {error}"))?;
    if bytes.len() > LONGEST {
        return Err(format!("{name} is longer than {LONGEST} bytes, which is the most that a secret can hold"));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8 text"))?;
    // Editors on Windows put a byte order mark in front.
    Ok(Source { secret: SecretString::from(text.trim_start_matches('\u{feff}').trim()), warnings })
}

/// The mode of a file that others than its owner can read.
#[cfg(unix)]
fn open_to_others(metadata: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    (metadata.is_file() && mode & 0o044 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn open_to_others(_: &std::fs::Metadata) -> Option<u32> {
    None
}
