//! Verifying signatures over raw bodies.

use bytes::Bytes;
use connector_channels::ChannelRequest;
use connector_liveengage::signature::{self, Algorithms};

use crate::{Benchmark, Prepared, input, work};

pub(crate) const ALL: &[Benchmark] = &[
    Benchmark { name: "verify_liveengage_text", prepare: || liveengage(&input::request(input::LIVEENGAGE_TEXT)?.body) },
    Benchmark { name: "verify_liveengage_256_kib", prepare: || liveengage(&input::large_liveengage_text()?) },
    Benchmark { name: "verify_sms_text", prepare: || channel("sms", input::request(input::SMS_TEXT)?) },
    Benchmark { name: "verify_whatsapp_text", prepare: || channel("whatsapp", input::request(input::WHATSAPP_TEXT)?) },
    Benchmark { name: "verify_whatsapp_100_texts", prepare: || channel("whatsapp", input::whatsapp_texts(100)?) },
];

fn liveengage(body: &Bytes) -> Prepared {
    let (signature, secret) = (input::liveengage_signature(body)?, input::client_secret()?);
    work((signature, body.clone(), secret), |(signature, body, secret)| {
        signature::verify(signature, body, [secret], Algorithms::Any)
    })
}

fn channel(name: &str, request: ChannelRequest) -> Prepared {
    work((input::line(name)?, request, input::now()?), |(line, request, now)| line.verify(request, *now))
}
