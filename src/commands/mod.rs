//! One file a verb.

pub mod check;
pub mod correct;
pub mod data;
pub mod extract;
pub mod fit;
pub mod ratio;
pub mod reproduce;
pub mod scan;
pub mod sweep;
