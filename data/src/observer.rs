//! Who watches long work: a bar in a terminal, a cell of a notebook, or nobody.

/// Watches a piece of work. `()` watches nothing.
pub trait Observer {
    /// A stage has done `done` of `total` steps; the first call of a stage names it. An error ends the work, and what is written so
    /// far stays complete.
    ///
    /// # Errors
    /// Whatever shall end the work, such as [`redline_model::Error::Interrupted`].
    fn progress(&mut self, stage: &str, done: usize, total: usize) -> redline_model::Result<()>;

    /// A stage is over.
    fn end(&mut self, stage: &str);

    /// Something that people should know: what was left out, what is continued, what to distrust.
    fn note(&mut self, text: &str);
}

impl Observer for () {
    fn progress(&mut self, _: &str, _: usize, _: usize) -> redline_model::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &str) {}

    fn note(&mut self, _: &str) {}
}
