//! Options of the server.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Args, Command, ValueEnum};
use redline::experiment::LayerSpec;
use redline::lab::answer_gate::GateSpec;
use redline::serve::ServeOptions;
use redline::steer::{TokenRange, Unit};

use super::ModelArgs;
use super::numbers::{MOST_BODY_BYTES, MOST_SECONDS, MOST_TOKENS, count, number};

/// An option whose variable has another name: that of the usual name holds the keys themselves.
const OTHER_VARIABLES: [(&str, &str); 1] = [("api-keys", "REDLINE_API_KEYS_FILE")];

/// Gives every option of the server a variable: `--max-rows` is `REDLINE_MAX_ROWS`. `globals` are those of all verbs, for
/// which the variables count in this one only.
pub fn with_variables(command: Command, globals: &[Arg]) -> Command {
    command.args(globals.to_vec()).mut_args(|arg| {
        let Some(name) = arg.get_long().map(str::to_owned) else { return arg };
        let other = OTHER_VARIABLES.iter().find(|(option, _)| *option == name);
        let usual = || format!("REDLINE_{}", name.to_uppercase().replace('-', "_"));
        let variable = other.map_or_else(usual, |(_, variable)| (*variable).to_owned());
        let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
        let arg = arg.env(variable);
        if is_flag { arg.value_parser(BoolishValueParser::new()) } else { arg }
    })
}

/// What a client gets when the Aligner fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum FailName {
    /// An error: nothing uncorrected gets through
    #[default]
    Closed,
    /// The original answer, marked
    Open,
}

/// What happens to reasoning in replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ReasoningName {
    /// Keep under --fail open, drop under --fail closed, since the Aligner does not read it
    #[default]
    Auto,
    /// Pass it to the client unchanged
    Keep,
    /// Leave it out
    Drop,
}

/// A vector file and what requests call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedVector {
    pub name: String,
    pub path: PathBuf,
}

impl FromStr for NamedVector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, path)) if !name.trim().is_empty() && !path.is_empty() => {
                Ok(Self { name: name.trim().into(), path: path.into() })
            }
            _ => Err(format!(
                "`{text}` is not NAME=FILE: say what requests call the vector, such as --vector mine={text}"
            )),
        }
    }
}

/// How lines of the log look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// For people: `key=value`
    #[default]
    Text,
    /// An object a line
    Json,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline serve
  redline serve --upstream http://127.0.0.1:8000/v1
  OPENAI_API_KEY=… redline serve --upstream https://api.openai.com/v1 --upstream-key-env OPENAI_API_KEY
  redline serve --profile gentle --upstream http://127.0.0.1:8000/v1
  redline serve --model smollm2 --vector correction=vector.safetensors --range all --upstream http://127.0.0.1:8000/v1

The page is at /, the API under /v1: point a client of OpenAI's API at http://127.0.0.1:8080/v1. docs/serve.md is the
manual.")]
pub struct ServeArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Vector that requests can name; the first is the default; can be given several times [default: for the built-in
    /// Aligner, a direction extracted when the server starts]
    #[arg(long, value_name = "NAME=FILE")]
    pub vector: Vec<NamedVector>,
    /// Steering profile from `redline tune --save`, by name or path; requests can name it, and its line predicts edit
    /// ratios; can be given several times
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: Vec<String>,
    /// Coefficient of requests that give none [default: the profile's, or 0]
    #[arg(long, allow_hyphen_values = true)]
    pub coefficient: Option<f32>,
    /// Layers to inject unless a request says otherwise: auto, all, 8-25 or 3,5,7 [default: the profile's, or auto;
    /// all for the built-in Aligner]
    #[arg(long)]
    pub layers: Option<LayerSpec>,
    /// Unit of the coefficient: gap, std, unit [default: the profile's, or gap]
    #[arg(long)]
    pub unit: Option<Unit>,
    /// Positions steered: output, all, prompt, last-prompt-token, generated, START..END [default: the profile's, or output; all
    /// for smollm2]
    #[arg(long)]
    pub range: Option<TokenRange>,
    /// Nats that each unit of coefficient subtracts from the logit of the answer's next token, in addition to the
    /// vector
    #[arg(long, value_name = "NATS", default_value_t = 0.0, value_parser = super::steering::copy_bias, allow_hyphen_values = true)]
    pub copy_bias: f32,
    /// Accept vectors made with other weights of the same size
    #[arg(long)]
    pub any_model: bool,
    /// Base URL of the OpenAI-compatible server whose answers are corrected, including /v1 if it has that; reached
    /// through the proxy of HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, unless NO_PROXY names the server
    #[arg(long, value_name = "URL", hide_env_values = true)]
    pub upstream: Option<String>,
    /// Environment variable with the upstream server's key; without it, clients' own keys are passed on
    #[arg(long, value_name = "NAME", requires = "upstream")]
    pub upstream_key_env: Option<String>,
    /// Longest wait for the upstream server, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0, value_parser = number(0.0, MOST_SECONDS))]
    pub upstream_timeout: f64,
    /// What a client gets when the Aligner fails
    #[arg(long, value_enum, default_value_t)]
    pub fail: FailName,
    #[command(flatten)]
    pub domain: super::domain::DomainArgs,
    /// Correct only answers that need it: cost=PATH:THRESHOLD (corrected above), reward=PATH:THRESHOLD (below) with a
    /// model of `redline train --objective cost|reward`, or lat=VECTOR[@LAYERS]:Z with a reading vector at the last
    /// token of the Aligner's prompt (above). Instead of the number give a calibration of `redline gate`, or nothing:
    /// then it is looked for beside the model or vector
    #[arg(long, value_name = "KIND=PATH[:THRESHOLD]", allow_hyphen_values = true)]
    pub gate: Option<GateSpec>,
    /// Let a router choose vector and coefficient for requests that name none: a file of `redline route`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profile", "coefficient", "layers", "unit", "range"])]
    pub route: Option<PathBuf>,
    /// What happens to the upstream model's reasoning: reasoning fields and parts, and <think> in the text
    #[arg(long, value_enum, default_value_t)]
    pub reasoning: ReasoningName,
    /// Address to listen on; other than loopback only with keys
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// File with the API keys of clients, one per line; the variable REDLINE_API_KEYS holds more, separated by commas
    #[arg(long, value_name = "FILE")]
    pub api_keys: Option<PathBuf>,
    /// Listen on a non-loopback address without keys, and serve everyone who reaches it
    #[arg(long)]
    pub no_keys: bool,
    /// Name under which clients reach the server besides localhost, for example through a proxy; can be given several
    /// times, or several separated by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub allow_host: Vec<String>,
    /// Origin of another site whose pages may send requests (CORS), such as https://example.org; can be given several
    /// times, or several separated by commas
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<String>,
    /// Corrections written together
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub max_rows: u16,
    /// Tokens drafted from answers per pass, all rows together; 0 turns drafting off, which changes no reply
    #[arg(long, default_value_t = ServeOptions::default().most_drafted, value_parser = count(0, MOST_TOKENS))]
    pub max_drafted: usize,
    /// Corrections that may wait; further ones are refused with 429
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_waiting: u16,
    /// Connections at a time
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_connections: u16,
    /// Longest correction, in tokens
    #[arg(long, default_value_t = 1024, value_parser = count(0, MOST_TOKENS))]
    pub max_new_tokens: usize,
    /// Longest body of a request, in bytes
    #[arg(long, default_value_t = 4 << 20, value_parser = count(0, MOST_BODY_BYTES))]
    pub max_body_bytes: usize,
    /// Longest time for a correction, including its wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0, value_parser = number(0.0, MOST_SECONDS))]
    pub timeout: f64,
    /// Format of log lines
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub log_format: LogFormat,
    /// Log only errors
    #[arg(short, long)]
    pub quiet: bool,
    /// How long requests may continue once the server is asked to stop, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = number(0.0, MOST_SECONDS))]
    pub stop_timeout: f64,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use clap::Arg;

    use super::OTHER_VARIABLES;

    #[test]
    fn every_option_has_a_variable_of_its_own() {
        let mut command = crate::cli::command();
        command.build();
        let serve = command.find_subcommand("serve").unwrap();
        let is_option = |arg: &&Arg| arg.get_long().is_some_and(|name| !["help", "version"].contains(&name));
        let options: Vec<&Arg> = serve.get_arguments().filter(is_option).collect();
        assert!(options.iter().any(|arg| arg.is_global_set()) && options.len() > 30, "{}", options.len());
        let mut seen = HashSet::new();
        for arg in options {
            let name = arg.get_long().unwrap();
            let other =
                OTHER_VARIABLES.iter().find(|(option, _)| *option == name).map(|(_, variable)| (*variable).to_owned());
            let expected = other.unwrap_or_else(|| format!("REDLINE_{}", name.to_uppercase().replace('-', "_")));
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(expected.as_str()), "--{name}");
            assert!(seen.insert(expected), "--{name}");
        }
        for verb in command.get_subcommands().filter(|verb| verb.get_name() != "serve") {
            assert!(verb.get_arguments().all(|arg| arg.get_env().is_none()), "{}", verb.get_name());
        }
    }
}
