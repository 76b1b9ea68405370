//! FastCGI in the role Authorizer, as Apache's mod_authnz_fcgi asks: the question comes as parameters, which Apache alone
//! sets; the answer is a CGI response whose `Variable-…` headers Apache makes variables of.
//!
//! The FastCGI specification 1.0, sections 3, 5 and 6.3. Only that role is played, one request at a time on a connection.

mod connection;
mod pairs;
mod params;
mod record;
mod response;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{StatusCode, http};

use self::connection::Params;
use super::decider::Decider;
use super::peer::Trust;
use super::question::Source;
use super::respond::Response;
use crate::config::Decision;
use crate::http::accept::{AcceptOptions, accept_each};
use crate::http::listener::Listener;
use crate::http::places::{Place, Standing};

/// How many connections may be open: Apache opens one for each question, and closes it after the answer.
const ACCEPTING: AcceptOptions = AcceptOptions { max_connections: 4_096, drain_timeout: Duration::from_secs(10) };

/// Answers on a listener until `shutdown` is ready, then finishes what is in flight. Connections of peers that
/// `settings` does not trust are closed before anything of them is read.
pub async fn serve_fastcgi(
    listener: Listener,
    decider: Decider,
    settings: Decision,
    shutdown: impl Future<Output = ()>,
) {
    let standing = |peer| Trust::of(peer, &settings).standing();
    let connection = |stream, peer, place, drain| {
        let (decider, is_trusted) = (decider.clone(), standing(peer) == Standing::Trusted);
        async move {
            let _place: Place = place;
            if !is_trusted {
                tracing::debug!(?peer, "connection refused: the peer is not among `decision.trusted_peers`");
                return;
            }
            let answer = |params| answer(&decider, params);
            if let Err(error) = connection::serve(stream, answer, drain).await {
                tracing::debug!(?peer, %error, "connection ended");
            }
        }
    };
    accept_each(listener, &standing, connection, ACCEPTING, shutdown).await;
}

async fn answer(decider: &Decider, params: Params) -> Response {
    let Params::Whole(params) = params else {
        let mut response = http::Response::new(Full::new(Bytes::from_static(b"the parameters are too long\n")));
        *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return response;
    };
    let question = match params::question(&params) {
        Ok(question) => question,
        Err(cause) => return decider.gate.malformed(cause),
    };
    // What counts of them is in the question.
    drop(params);
    let is_head = matches!(&question.source, Source::Told(told) if told.method == "HEAD");
    let mut response = decider.decide(question, || 0).await;
    if is_head {
        *response.body_mut() = Full::default();
    }
    response
}
