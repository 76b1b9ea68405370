//! Answers questions in time: from the caches at once, or else by the readers.

use std::sync::Arc;
use std::time::Duration;

use super::check::{Gate, NeedsStore};
use super::question::Question;
use super::readers::Readers;
use super::respond::Response;

/// Answers questions in time, whichever way they came.
#[derive(Clone)]
pub struct Decider {
    pub(super) gate: Arc<Gate>,
    readers: Arc<Readers>,
    deadline: Duration,
}

impl Decider {
    /// Asks `gate`, and `readers` for what its caches do not have. Answers within `deadline`.
    pub fn new(gate: Arc<Gate>, readers: Arc<Readers>, deadline: Duration) -> Self {
        Self { gate, readers, deadline }
    }

    /// The response to a question. It is 200 only if the policies permit what is asked. If that has to be waited for,
    /// `beside` tells how many bytes whoever asks holds meanwhile, besides the question.
    pub async fn decide(&self, question: Question, beside: impl FnOnce() -> usize) -> Response {
        match self.gate.find_now(&question.source, (&question.headers).into()) {
            Ok(answered) => self.gate.respond(question.source.form(), &answered),
            Err(NeedsStore) => self.decide_later(question, beside()).await,
        }
    }

    /// The response to a question that the caches do not answer.
    pub(super) async fn decide_later(&self, question: Question, beside: usize) -> Response {
        let Ok(answer) = self.readers.ask(question, beside) else { return self.gate.overloaded() };
        match tokio::time::timeout(self.deadline, answer).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => self.gate.unavailable("the decision failed unexpectedly"),
            Err(_) => self.gate.unavailable("the decision took too long"),
        }
    }
}
