//! Working the tables out, by Cedar's partial evaluation of samples.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::ops::BitOr as _;
use std::sync::Arc;

use cedar_policy_core::ast::{
    Context, Effect, EntityUID, EntityUIDEntry, Expr, Literal, PartialValue, Policy, Request, Value, ValueKind,
};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;
use smol_str::SmolStr;

use super::kind::{Class, Dimension, Narrowed, Standing, State};
use super::sample::Sample;
use super::{Node, Tables, Tree};
use crate::authz::decision::Decision;
use crate::authz::index::PolicyIndex;
use crate::authz::prepared::{Prepared, PreparedAction};
use crate::authz::question::Circumstances;
use crate::authz::reads::{ContextParts, Reads, Strays};

/// With more policies than this for one kind of question no table is made for it: it would take too long to load.
const MOST_POLICIES: usize = 256;

/// Works out the tables of the generation with this number. Nothing if no sample can be built.
pub(super) fn tables(generation: u64, prepared: &Prepared, index: &PolicyIndex) -> Option<Tables> {
    let of_actions = prepared.actions().iter().flat_map(|action| &action.entities);
    let of_actions: HashMap<&EntityUID, _> = of_actions.map(|entity| (entity.uid(), entity)).collect();
    let of_actions = Entities::from_entities(
        of_actions.into_values().cloned(),
        None::<&NoEntitiesSchema>,
        TCComputation::AssumeAlreadyComputed,
        Extensions::all_available(),
    );
    let mut compiler = Compiler { generation, index, of_actions: of_actions.ok()?, samples: HashMap::new() };
    let mut actions = Vec::with_capacity(prepared.actions().len());
    for action in prepared.actions() {
        let mut trees = [const { None }; Class::COUNT];
        for class in Class::all() {
            if let Some(tree) = trees.get_mut(class.index()) {
                *tree = compiler.tree(action, class);
            }
        }
        actions.push(trees);
    }
    Some(Tables { actions })
}

struct Compiler<'a> {
    generation: u64,
    index: &'a PolicyIndex,
    /// The entities of all actions.
    of_actions: Entities,
    /// Those that were built so far, since all actions have the same.
    samples: HashMap<Sample, Option<Arc<Built>>>,
}

struct Built {
    principal: Arc<EntityUID>,
    resource: Arc<EntityUID>,
    context: Context,
    entities: Entities,
}

/// A policy whose scope holds for the action and the class.
struct Candidate<'a> {
    policy: &'a Policy,
    /// What its conditions say, which is all that is left to be found out.
    condition: Option<&'a Expr>,
    /// The same for all samples that differ in their entities only, if it looks at no entity; by how the credential is
    /// narrowed.
    alike: Option<[OnceCell<Option<Said>>; Narrowed::COUNT]>,
}

/// What a policy says of a sample.
#[derive(Clone)]
enum Said {
    Satisfied,
    NotSatisfied,
    /// That depends on these.
    Open(Vec<SmolStr>),
}

impl Candidate<'_> {
    /// Nothing if it fails.
    fn said(&self, evaluator: &Evaluator<'_>, sample: Sample) -> Option<Said> {
        match self.alike.as_ref().and_then(|alike| alike.get(sample.state.narrowed as usize)) {
            Some(alike) if sample.is_untold() => alike.get_or_init(|| self.evaluate(evaluator)).clone(),
            _ => self.evaluate(evaluator),
        }
    }

    fn evaluate(&self, evaluator: &Evaluator<'_>) -> Option<Said> {
        let Some(condition) = self.condition else { return Some(Said::Satisfied) };
        match evaluator.partial_interpret(condition, self.policy.env()).ok()? {
            PartialValue::Value(value) if as_bool(&value)? => Some(Said::Satisfied),
            PartialValue::Value(_) => Some(Said::NotSatisfied),
            PartialValue::Residual(rest) => {
                let unknown: Vec<_> = rest.unknowns().map(|unknown| unknown.name.clone()).collect();
                // INVARIANT: what is open is never taken for not satisfied, not even if nothing says why.
                (!unknown.is_empty()).then_some(Said::Open(unknown))
            }
        }
    }
}

impl Compiler<'_> {
    fn tree(&mut self, action: &PreparedAction, class: Class) -> Option<Tree> {
        let states = || State::all().filter(|state| state.is_of(class));
        let sample = self.built(Sample::new(class, states().next()?))?;
        let (principal, resource) = (&sample.principal, &sample.resource);
        let (principal_type, resource_type) = (principal.entity_type(), resource.entity_type());
        if !action.fits(principal, resource, &Circumstances::UNTOLD)
            || self.index.names_entities(&action.uid, principal_type, resource_type)
        {
            return None;
        }
        let policies = self.index.unnamed(&action.uid, principal_type, resource_type);
        let reads = policies.iter().map(|policy| Reads::of(policy)).fold(Reads::default(), Reads::bitor);
        // INVARIANT: a sample stands for all questions of its kind only if no policy tells one entity from another by
        // its name, nor whether the client's address is known, which a sample leaves out.
        let tells_apart = reads.names_entities || reads.context.intersects(ContextParts::CLIENT);
        // Nor has a sample anything but what every slice has.
        let strays = policies.iter().any(|policy| Strays::of(policy).is_any());
        if policies.len() > MOST_POLICIES || tells_apart || strays {
            return None;
        }
        let evaluator = sample.evaluator(action);
        let mut candidates = Vec::with_capacity(policies.len());
        for policy in policies {
            // It names types and the action only, which are the same in all samples.
            let scope = [
                policy.principal_constraint().as_expr(),
                policy.action_constraint().as_expr(),
                policy.resource_constraint().as_expr(),
            ];
            if scope.iter().map(|part| truth(&evaluator, part, policy)).collect::<Option<Vec<_>>>()?.contains(&false) {
                continue;
            }
            let alike = (!Reads::of(policy).entities).then(Default::default);
            candidates.push(Candidate { policy, condition: policy.non_scope_constraints(), alike });
        }
        let node = |state: State| {
            if state.is_of(class) { self.node(action, Sample::new(class, state), &candidates) } else { Node::Open }
        };
        let tree: Tree = State::all().map(node).collect();
        tree.iter().any(|node| !matches!(node, Node::Open)).then_some(tree)
    }

    fn node(&mut self, action: &PreparedAction, sample: Sample, candidates: &[Candidate<'_>]) -> Node {
        let Some(outcome) = self.evaluate(action, sample, candidates) else { return Node::Open };
        if outcome.unknown.is_empty() {
            return Node::Decided(Arc::new(outcome.decision(self.generation, sample.state)));
        }
        // What a policy needs to know, and has few values, is known in each of the branches.
        let needed = |dimension: &Dimension| !sample.knows(*dimension) && outcome.unknown.contains(dimension.path());
        match Dimension::ALL.into_iter().find(needed) {
            Some(dimension) => {
                let branch = |value| self.node(action, sample.with(dimension, value), candidates);
                Node::Split(dimension, (0..Dimension::VALUES).map(branch).collect())
            }
            None => Node::Open,
        }
    }

    /// What the policies say of the sample. Nothing if one of them fails: it may fail for a question too, and its
    /// message is then about that question.
    fn evaluate(&mut self, action: &PreparedAction, sample: Sample, candidates: &[Candidate<'_>]) -> Option<Outcome> {
        let built = self.built(sample)?;
        let evaluator = built.evaluator(action);
        let mut outcome = Outcome::default();
        for candidate in candidates {
            let satisfied = match candidate.policy.effect() {
                Effect::Permit => &mut outcome.permits,
                Effect::Forbid => &mut outcome.forbids,
            };
            match candidate.said(&evaluator, sample)? {
                Said::Satisfied => satisfied.push(AsRef::<str>::as_ref(candidate.policy.id()).into()),
                Said::NotSatisfied => {}
                Said::Open(unknown) => outcome.unknown.extend(unknown),
            }
        }
        Some(outcome)
    }

    fn built(&mut self, sample: Sample) -> Option<Arc<Built>> {
        let of_actions = &self.of_actions;
        self.samples.entry(sample).or_insert_with(|| build(sample, of_actions).map(Arc::new)).clone()
    }
}

impl Built {
    fn evaluator(&self, action: &PreparedAction) -> Evaluator<'_> {
        let known = |uid: &Arc<EntityUID>| EntityUIDEntry::Known { euid: Arc::clone(uid), loc: None };
        let (principal, resource) = (known(&self.principal), known(&self.resource));
        let request = Request::new_unchecked(principal, known(&action.uid), resource, Some(self.context.clone()));
        Evaluator::new(request, &self.entities, Extensions::all_available())
    }
}

/// Whether the expression is true. Nothing if that is not known, or no question of true and false.
fn truth(evaluator: &Evaluator<'_>, expr: &Expr, policy: &Policy) -> Option<bool> {
    match evaluator.partial_interpret(expr, policy.env()).ok()? {
        PartialValue::Value(value) => as_bool(&value),
        PartialValue::Residual(_) => None,
    }
}

fn as_bool(value: &Value) -> Option<bool> {
    match value.value_kind() {
        ValueKind::Lit(Literal::Bool(value)) => Some(*value),
        _ => None,
    }
}

fn build(sample: Sample, of_actions: &Entities) -> Option<Built> {
    let asked = sample.asked()?;
    let entities = of_actions.clone().add_entities(
        asked.entities.into_iter().map(Arc::new),
        None::<&NoEntitiesSchema>,
        TCComputation::AssumeAlreadyComputed,
        Extensions::all_available(),
    );
    Some(Built {
        principal: asked.principal,
        resource: asked.resource,
        context: asked.context,
        entities: entities.ok()?,
    })
}

/// What the policies say of a sample.
#[derive(Default)]
struct Outcome {
    permits: Vec<Arc<str>>,
    forbids: Vec<Arc<str>>,
    /// What some policies need to know as well.
    unknown: BTreeSet<SmolStr>,
}

impl Outcome {
    /// As Cedar combines policies: one that forbids outweighs all that permit, and what none permits is denied.
    fn decision(self, generation: u64, state: State) -> Decision {
        let Self { mut permits, mut forbids, .. } = self;
        let allowed = forbids.is_empty() && !permits.is_empty();
        let role = match state.standing {
            Standing::Registered { role, .. } => role,
            Standing::Unregistered | Standing::Own => None,
        };
        let determining = if allowed { &mut permits } else { &mut forbids };
        determining.sort_unstable();
        Decision::new(generation, allowed, role, std::mem::take(determining).into(), Arc::new([]))
    }
}
