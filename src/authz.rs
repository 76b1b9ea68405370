//! May they: routes, policies, entities and the engine that decides.
