//! Options of Aligners in a row, after an upstream model.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::ModelArgs;
use super::numbers::number;
use super::steering::SteeringArgs;
use super::systems::split_list;

/// What can be said of an Aligner.
const KEYS: [&str; 10] =
    ["adapter", "template", "profile", "vector", "coefficient", "layers", "unit", "range", "operator", "copy-bias"];

/// One Aligner of several: `MODEL[,KEY=VALUE]…`.
#[derive(Clone, Default)]
pub struct AlignerSpec {
    pub model: ModelArgs,
    pub steering: SteeringArgs,
    pub coefficient: Option<f32>,
}

impl FromStr for AlignerSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = split_list(text);
        let mut parts = parts.iter().map(String::as_str);
        let model = parts.next().unwrap_or_default();
        if model.is_empty() || model.contains('=') {
            return Err(format!("`{text}` does not begin with a model; write embedded, smollm2, a folder or a file"));
        }
        let mut spec = Self::default();
        spec.model.model = (model != "embedded").then(|| model.into());
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(|| {
                format!("`{part}` is not KEY=VALUE (a path with a comma stands in double quotes, which the shell has to leave)")
            })?;
            spec.set(key, value).map_err(|rule| format!("`{part}`: {rule}"))?;
        }
        Ok(spec)
    }
}

impl AlignerSpec {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let unknown = |error: redline::model::UnknownName| error.to_string();
        let told = |error: redline::steer::Error| error.to_string();
        match key {
            "adapter" => self.model.adapter = Some(value.into()),
            "template" => self.model.template = Some(value.into()),
            "profile" => self.steering.profile = Some(value.into()),
            "vector" => self.steering.vector = Some(value.into()),
            "coefficient" => {
                let number = value.parse::<f32>().ok().filter(|number| number.is_finite());
                self.coefficient = Some(number.ok_or("it is no finite number")?);
            }
            // a comma ends the value
            "layers" => self.steering.layers = Some(value.replace('+', ",").parse()?),
            "unit" => self.steering.unit = Some(value.parse().map_err(unknown)?),
            "range" => self.steering.range = Some(value.parse().map_err(told)?),
            "copy-bias" => self.steering.copy_bias = super::steering::copy_bias(value)?,
            "operator" => self.steering.operator = value.parse().map_err(unknown)?,
            _ => return Err(format!("known are {}", KEYS.join(", "))),
        }
        Ok(())
    }
}

/// An Aligner as it was written, once it is known to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlignerText(String);

impl FromStr for AlignerText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<AlignerSpec>().map(|_| Self(text.to_owned()))
    }
}

impl std::fmt::Display for AlignerText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Args)]
pub struct StackArgs {
    /// Aligner in a chain: embedded, smollm2, a folder or a file, with ,KEY=VALUE for adapter, template, profile,
    /// vector, coefficient, layers (3+5+7), unit, range, operator, copy-bias; may be repeated, and each corrects the
    /// output of the one before
    #[arg(long, value_name = "MODEL[,KEY=VALUE]", conflicts_with_all = ["model", "adapter", "adapter_scale", "template", "instruction", "vector", "profile", "coefficient", "layers", "unit", "range", "operator", "copy_bias", "any_model", "from_llama_cpp_generator", "also", "gate", "domain"])]
    pub aligner: Vec<AlignerSpec>,
    /// Base URL of an OpenAI-compatible server that answers rows without an answer
    #[arg(long, value_name = "URL", conflicts_with = "upstream_model")]
    pub upstream: Option<String>,
    /// Name of the upstream server's model
    #[arg(long, value_name = "NAME", requires = "upstream")]
    pub upstream_name: Option<String>,
    /// Environment variable with the upstream server's key, such as OPENAI_API_KEY; without it no key is sent
    #[arg(long, value_name = "NAME", requires = "upstream")]
    pub upstream_key_env: Option<String>,
    /// Questions asked at a time
    #[arg(long, value_name = "N", requires = "upstream", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub upstream_at_a_time: u16,
    /// Chat model, folder or file, that answers rows without an answer
    #[arg(long, value_name = "PATH")]
    pub upstream_model: Option<PathBuf>,
    /// Temperature of the upstream model's answers, sampled with --seed and the row number [default: the server's
    /// own; a model's most likely answer]
    #[arg(long, value_name = "T", value_parser = number(0.0, 100.0))]
    pub upstream_temperature: Option<f64>,
    /// Write the rows to a file, which the same command continues; - is standard output
    #[arg(long, value_name = "FILE", requires = "data")]
    pub out: Option<PathBuf>,
    /// Add the LAT scan of each correction along the vector, which must be a reading vector
    #[arg(long)]
    pub with_scan: bool,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

impl StackArgs {
    /// Whether rows may lack an answer.
    pub fn has_upstream(&self) -> bool {
        self.upstream.is_some() || self.upstream_model.is_some()
    }
}
