//! Keys of servers, which come from the environment only.

use crate::failure::hinted;

/// A server's key in a variable of this name. What is no name of a variable may be the key itself, and is not shown.
pub fn environment_key(name: &str) -> anyhow::Result<String> {
    let is_name =
        name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) && !name.starts_with(|c: char| c.is_ascii_digit());
    if !is_name || name.is_empty() {
        return Err(hinted(
            "a key is read from a variable, and what is given is no name of one",
            "export the key in a variable, and give the variable's name",
        ));
    }
    let key = std::env::var(name).ok().filter(|key| !key.is_empty());
    key.ok_or_else(|| hinted(format!("the variable {name} is not set"), "set it to the server's key"))
}
