//! Waits for changes on a phone.

use tokio::sync::broadcast;

use super::{PhoneChange, PhoneMessage};

/// Waits until a phone's transcript is as wanted, and returns it. The caller must hold the sender of `changes`.
pub(crate) async fn wait_for(
    mut changes: broadcast::Receiver<PhoneChange>,
    transcript: impl Fn() -> Vec<PhoneMessage>,
    wanted: impl Fn(&[PhoneMessage]) -> bool,
) -> Vec<PhoneMessage> {
    loop {
        let transcript = transcript();
        if wanted(&transcript) {
            return transcript;
        }
        // The sender exists, so the only error is a lag, after which the transcript is read again anyway.
        let _ = changes.recv().await;
    }
}
