//! Signs requests as [`connector_liveengage::oauth1`] does. Reads one request a line from the standard input, as a JSON array of eight
//! strings: method, URL, nonce, second, app key, secret, access token, access token secret. Prints the header of each.

use std::{
    error::Error,
    io::{self, Write},
};

use connector_liveengage::oauth1::{ApiKey, authorization};
use http::Method;
use jiff::Timestamp;

fn main() -> Result<(), Box<dyn Error>> {
    for line in io::stdin().lines() {
        let [method, url, nonce, second, app_key, secret, access_token, access_token_secret]: [String; 8] =
            serde_json::from_str(&line?)?;
        let (secret, access_token_secret) = (secret.into(), access_token_secret.into());
        let key = ApiKey { app_key, secret, access_token, access_token_secret };
        let (method, url) = (Method::from_bytes(method.as_bytes())?, url.parse()?);
        let header = authorization(&key, &method, &url, &nonce, Timestamp::from_second(second.parse()?)?)?;
        writeln!(io::stdout(), "{}", header.to_str()?)?;
    }
    Ok(())
}
