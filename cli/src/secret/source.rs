//! Reads a secret from a file or from standard input.

use std::{io::Read as _, path::Path};

use secrecy::SecretString;

/// The limit of Secrets Manager in bytes.
const MAX_BYTES: usize = 65_536;

/// A secret that was read, and warnings about its file.
#[derive(Debug)]
pub(crate) struct Source {
    /// The secret, without surrounding white space.
    pub(crate) secret: SecretString,
    /// Warnings for standard error.
    pub(crate) warnings: Vec<String>,
}

/// Reads a file, or standard input for `-`.
///
/// # Errors
/// A message that names the file but contains nothing of its content.
pub(crate) fn read(path: &Path) -> Result<Source, String> {
    let name = path.display();
    let mut bytes = Vec::new();
    // One byte more than allowed shows that the file is too long, without reading all of a wrong file.
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut warnings = Vec::new();
    let outcome = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| {
            warnings.extend(open_to_others(&file.metadata()?).map(|mode| {
                format!("{name} can be read by other users (mode {mode:o}): run `chmod 600 {name}`, and delete the file after the secret is stored.")
            }));
            file.take(limit).read_to_end(&mut bytes)
        })
    };
    outcome.map_err(|error| format!("{name} can't be read: {error}"))?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("{name} is longer than {MAX_BYTES} bytes, the limit of Secrets Manager"));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8 text"))?;
    // Windows editors put a byte order mark first.
    Ok(Source { secret: SecretString::from(text.trim_start_matches('\u{feff}').trim()), warnings })
}

/// The mode of a file that other users can read.
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
