//! Rounds with a program that only plays its part.

mod fake;
mod plans;
mod running;
mod wrong;
