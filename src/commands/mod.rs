//! One file or folder a verb; `data` and `train` hold several, which share their work.

pub mod bench;
pub mod check;
pub mod compare;
pub mod correct;
pub mod data;
pub mod evaluate;
pub mod extract;
pub mod feedback;
pub mod fit;
pub mod gate;
pub mod inspect;
pub mod iterate;
pub mod layers;
pub mod merge;
pub mod perplexity;
pub mod plot;
pub mod ratio;
pub mod reproduce;
pub mod route;
pub mod scan;
pub mod serve;
pub mod shell;
pub mod sweep;
pub mod train;
pub mod tune;
