//! Reward models whose body stays as it is: a head on the last states of texts, fitted at once.
//!
//! The body reads each text once and [`StatesFile`] keeps its last states, so that a run that was stopped goes on, and another head costs
//! seconds. What is given up against training the body too is for held-out pairs to say.

mod accuracy;
mod head;
mod policy;
mod states;

pub use accuracy::held_out_accuracy;
pub use head::{HeadOptions, HeadOutcome, HeldOutOrder, train_head};
pub use policy::{PolicyRows, Rewarder, policy_prompts};
pub use states::{STATES_SCHEMA, StatesFile};
