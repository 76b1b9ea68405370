//! Cedar's own evaluator behind the server that Gatepost has: what `compare.sh` compares with.
//!
//! The way of a request is Gatepost's until it is known who asks for what, the cache of credentials included. Then
//! request and entities are made, and Cedar's `Authorizer` evaluates the whole policy set. Entities are made from values
//! that are there already; there is no decision log, no identifier of the decision, and nothing is counted.
//!
//!     cedar_server ADDRESS
//!
//! Prints one line of JSON: the application, and the key of its operator.

#[path = "../decision/asked.rs"]
#[expect(dead_code, reason = "the benches use the rest")]
mod asked;
#[path = "../decision/cedar.rs"]
mod cedar;
#[path = "../decision/world.rs"]
#[expect(dead_code, reason = "the benches use the rest")]
mod world;

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use cedar_policy::Decision;
use gatepost::authn::{Candidate, Verified};
use gatepost::authz::Resource;
use gatepost::gate::dialect::Dialect;
use gatepost::gate::presented::{self, Presented};
use gatepost::http::listener::Listener;
use gatepost::http::places::Standing;
use gatepost::http::serve::{ServeOptions, serve};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};

use crate::cedar::{Cedar, Question};
use crate::world::{Caches, Log, Opened, World};

#[expect(clippy::print_stdout, reason = "whoever starts it reads what to ask")]
fn main() -> Result<()> {
    let address = std::env::args().nth(1).context("expected an address to listen on")?.parse()?;
    let world = World::new()?;
    let opened = world.open(Log::Off, Caches::On)?;
    let server = Arc::new(Server { cedar: Cedar::new(&world, &opened)?, opened });
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = Listener::bind(&address).await?;
        let (application, key) = (world.application.to_string(), &world.api_key);
        println!("{}", serde_json::json!({"application": application, "api_key": key}));
        let make = move |_| {
            let server = Arc::clone(&server);
            service_fn(move |request: Request<Incoming>| ready(Ok::<_, Infallible>(server.answer(request.headers()))))
        };
        serve(listener, make, |_| Standing::Trusted, ServeOptions::default(), std::future::pending()).await;
        Ok(())
    })
}

struct Server {
    cedar: Cedar,
    opened: Opened,
}

impl Server {
    fn answer(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        match self.allowed(headers) {
            Ok(verified) => self.introduce(&verified, response.headers_mut()),
            Err(status) => *response.status_mut() = status,
        }
        response
    }

    /// Whose request it is, if it is allowed.
    fn allowed(&self, headers: &HeaderMap) -> Result<Arc<Verified>, StatusCode> {
        let asked = Dialect::Nginx.read(headers).map_err(|_| StatusCode::BAD_REQUEST)?;
        let now = self.opened.app.clock.now();
        let verified = match presented::read(headers) {
            Ok(Presented::Token(token)) => self.verified(token.expose(), now)?,
            _ => return Err(StatusCode::UNAUTHORIZED),
        };
        let generation = self.cedar.generation();
        let found = generation.routes().find(asked.host.as_str(), asked.method, &asked.path);
        let found = found.ok_or(StatusCode::FORBIDDEN)?;
        let Resource::Application(application) = Resource::from_parts(&found.route.resource_type, found.resource_id)
        else {
            return Err(StatusCode::FORBIDDEN);
        };
        let question = Question {
            user: &verified.user_id().to_string(),
            credential_id: verified.id(),
            credential_age_secs: now.since(verified.issued_at()).as_secs().try_into().unwrap_or(i64::MAX),
            action: found.route.action_index,
            application: &application.to_string(),
            method: asked.method,
            host: asked.host.as_str(),
            path: asked.path.as_str(),
            client: asked.client,
        };
        let answer = self.cedar.ask(question).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        let is_allowed = answer.decision() == Decision::Allow && answer.diagnostics().errors().next().is_none();
        if is_allowed { Ok(verified) } else { Err(StatusCode::FORBIDDEN) }
    }

    fn verified(&self, token: &str, now: gatepost::model::Timestamp) -> Result<Arc<Verified>, StatusCode> {
        let candidate = Candidate::read(token).map_err(|_| StatusCode::UNAUTHORIZED)?;
        let verifier = &self.opened.app.verifier;
        let verified = match verifier.cached(candidate, now) {
            Some(Ok((verified, _))) => Ok(verified),
            Some(Err(_)) => Err(()),
            None => verifier.verify(candidate, now).map(|(verified, _)| verified).map_err(drop),
        };
        verified.map_err(|()| StatusCode::UNAUTHORIZED)
    }

    /// Says who it is, as Gatepost does.
    fn introduce(&self, verified: &Verified, headers: &mut HeaderMap) {
        let user = verified.user();
        for (name, value) in [("remote-user", user.username.as_str()), ("remote-email", user.email.as_str())] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        headers.insert("remote-credential", HeaderValue::from_static("api_key"));
    }
}
