//! `redline serve`: the server, with the model on this thread and connections on others.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Uri};
use redline::aligner::Aligner;
use redline::embedded;
use redline::experiment::LayerSpec;
use redline::lab::domain::Domain;
use redline::lab::route::{CheckedRoute, Route};
use redline::model::gguf::is_gguf;
use redline::probe::Reading;
use redline::profile::{Profile, ProfileFit, find};
use redline::serve::{
    ApiKeys, Dial, DialVector, Dials, FailMode, MeasuredDial, Reasoning, ServeOptions, Service, Upstream, bind,
    is_host_name, listen, route_dials,
};
use redline::steer::{EditRatioVariant, InsideFile, TokenRange, Unit};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::cli::serve::{FailName, NamedVector, ReasoningName, ServeArgs};
use crate::failure::hinted;
use crate::keys::environment_key;
use crate::models;
use crate::models::OWN_ALIGNER;
use crate::request_log::RequestLog;
use crate::{defaults, interrupt, output};
use redline::lab::policy::ReadPolicy;
use redline::lab::steering::{Steering, check_reading, trained_range_of, training_notes};

/// Name of the vector of a server that is given none.
const OWN_VECTOR: &str = "correction";
/// Threads for connections; the model has this one and those of its pool.
const CONNECTION_THREADS: usize = 2;

pub fn run(args: &ServeArgs, json: bool) -> anyhow::Result<ExitCode> {
    let options = options(args)?;
    let log = RequestLog::begin(args.log_format, args.quiet);
    args.coefficient.map_or(Ok(()), |coefficient| redline::steer::check_coefficients(&[coefficient]))?;
    let profiles = args.profile.iter().map(|name| open_profile(name)).collect::<anyhow::Result<Vec<_>>>()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(CONNECTION_THREADS).enable_all().build()?;
    let upstream = upstream(args)?;
    let listener = runtime.block_on(bind(options.address)).map_err(|error| {
        hinted(
            format!("cannot listen on {}: {error}", options.address),
            "choose another address with --host and --port",
        )
    })?;
    let address = listener.local_addr()?;
    let template = profiles.first().map(|(_, profile)| profile.aligner_template()).transpose()?;
    let aligner = models::open_with(&args.model, template)?;
    let files = args.vector.iter().map(|named| file_dial(args, named, &aligner));
    let tuned = profiles.iter().map(|(path, profile)| profile_dial(args, path, profile, &aligner));
    let route = args.route.as_deref().map(|path| open_route(path, &aligner)).transpose()?;
    let of_route = route.iter().flat_map(route_dials).map(Ok);
    let files = files.chain(tuned).chain(of_route).collect::<anyhow::Result<Vec<_>>>()?;
    refuse_equal_names(&files)?;
    // what cannot be served is said before anything is announced
    let config = aligner.model.decoder.config().clone();
    let own_layers = args.layers.clone().unwrap_or(LayerSpec::All);
    own_layers.resolve(config.n_layers)?;
    let served =
        Dials::new(files, config.clone()).map_err(|error| hinted(error.to_string(), "choose other --layers"))?;
    let served = match &route {
        Some(checked) => served.routed(&checked.route)?,
        None => served,
    };
    let name = aligner.model.path.file_stem().map_or("aligner".into(), |name| name.to_string_lossy().into_owned());
    let of_profile = profiles.first().and_then(|(_, profile)| profile.domain.as_ref());
    let (given, outside) = (args.domain.given()?, args.domain.outside);
    let domain = Domain::of(&aligner, given.as_ref(), of_profile, outside)?;
    let gate = args.gate.as_ref().map(|gate| gate.open(&aligner, args.any_model)).transpose()?.map(Arc::new);
    gate.iter().filter_map(|gate| gate.doubt()).for_each(|doubt| output::note!("warning: {doubt}"));
    let gated = gate.as_ref().map(|gate| format!("corrects only answers that need it: {}", gate.in_words()));
    let options = ServeOptions { domain, outside, gate, ..options };
    let service = Arc::new(Service::new(name, aligner, options, upstream));
    let log = Arc::new(log);
    let server = runtime.spawn(listen(service.clone(), listener, stopped(log.clone())));
    if json {
        output::json_text(&serde_json::json!({ "schema": "redline.serve.v1", "address": address, "url": format!("http://{address}") }).to_string())?;
    }
    if let Some(place) = service.upstream_place() {
        log.say(&format!("asking the upstream server at {place}"));
        if args.model.model.is_none() {
            log.say(OWN_ALIGNER);
        }
    }
    gated.into_iter().for_each(|gated| log.say(&gated));
    log.say(&format!("listening on http://{address}"));
    let dials = match served.all().is_empty() && args.model.model.is_none() {
        true => Dials::new(vec![own_dial(args, own_layers)?], config)?,
        false => served,
    };
    service.begin(dials);
    log.say("ready");
    service.worker()?.run();
    end(runtime, server, &log)
}

/// Waits for what runs, and says that the server has stopped.
fn end(runtime: Runtime, server: JoinHandle<()>, log: &RequestLog) -> anyhow::Result<ExitCode> {
    runtime.block_on(server)?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    log.say("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Done when a signal asks the server to stop.
async fn stopped(log: Arc<RequestLog>) {
    interrupt::wait().await;
    log.say("stopping: what runs is finished first; a second signal ends it at once");
}

fn options(args: &ServeArgs) -> anyhow::Result<ServeOptions> {
    let mut keys = std::env::var("REDLINE_API_KEYS").unwrap_or_default();
    if let Some(path) = &args.api_keys {
        let text = redline::model::files::read_text(path, redline::model::files::MOST_WRITTEN)?;
        keys = format!("{keys}\n{text}");
    }
    let keys = ApiKeys::parse(&keys);
    if args.api_keys.is_some() && keys.is_empty() {
        return Err(hinted("--api-keys names a file without keys", "write one key a line into it"));
    }
    if !args.host.is_loopback() && keys.is_empty() && !args.no_keys {
        return Err(hinted(
            format!("{} can be reached from other machines, and no API keys are set", args.host),
            "give --api-keys FILE, or --no-keys when something in front of the server checks who asks",
        ));
    }
    Ok(ServeOptions {
        address: (args.host, args.port).into(),
        fail: match args.fail {
            FailName::Closed => FailMode::Closed,
            FailName::Open => FailMode::Open,
        },
        reasoning: match args.reasoning {
            ReasoningName::Auto => None,
            ReasoningName::Keep => Some(Reasoning::Keep),
            ReasoningName::Drop => Some(Reasoning::Drop),
        },
        keys,
        hosts: args.allow_host.iter().map(|name| host(name)).collect::<anyhow::Result<_>>()?,
        origins: args.allow_origin.iter().map(|text| origin(text)).collect::<anyhow::Result<_>>()?,
        most_rows: args.max_rows.into(),
        most_drafted: args.max_drafted,
        most_waiting: args.max_waiting.into(),
        most_connections: args.max_connections.into(),
        most_body_bytes: args.max_body_bytes,
        most_new_tokens: args.max_new_tokens.max(1),
        timeout: seconds("--timeout", args.timeout)?,
        stop_timeout: seconds("--stop-timeout", args.stop_timeout)?,
        ..ServeOptions::default()
    })
}

/// A name as `Host` headers have it.
fn host(name: &str) -> anyhow::Result<String> {
    let hint = "give the name alone, without scheme and port: example.org";
    is_host_name(name)
        .then(|| name.to_owned())
        .ok_or_else(|| hinted(format!("--allow-host: `{name}` is no name"), hint))
}

/// An origin as browsers send it.
fn origin(text: &str) -> anyhow::Result<HeaderValue> {
    let uri: Option<Uri> = text.parse().ok();
    let parts = uri.as_ref().and_then(|uri| Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?)));
    let value = HeaderValue::from_str(text).ok().filter(|_| parts.is_some_and(|parts| parts == text));
    value.ok_or_else(|| {
        let hint = "name scheme and host, and the port where it is not the usual one: https://example.org; give the option once for each origin";
        hinted(format!("--allow-origin: `{text}` is no origin"), hint)
    })
}

fn seconds(option: &str, value: f64) -> anyhow::Result<Duration> {
    let duration = Duration::try_from_secs_f64(value).ok().filter(|duration| !duration.is_zero());
    // a day is longer than any client waits
    let duration = duration.filter(|duration| *duration <= Duration::from_secs(86_400));
    duration.ok_or_else(|| hinted(format!("{option} is {value}"), "give seconds above 0, a day at most"))
}

fn upstream(args: &ServeArgs) -> anyhow::Result<Option<Upstream>> {
    let Some(url) = &args.upstream else { return Ok(None) };
    let key = args.upstream_key_env.as_deref().map(environment_key).transpose()?;
    let timeout = seconds("--upstream-timeout", args.upstream_timeout)?;
    let upstream = Upstream::new(url, key.as_deref(), timeout);
    Ok(Some(
        upstream.map_err(|error| {
            hinted(format!("--upstream: {error}"), "give a base URL such as http://127.0.0.1:8000/v1")
        })?,
    ))
}

fn refuse_equal_names(dials: &[Dial]) -> anyhow::Result<()> {
    let is_again = |(i, dial): &(usize, &Dial)| dials[..*i].iter().any(|other| other.name == dial.name);
    match dials.iter().enumerate().find(is_again) {
        Some((_, dial)) => Err(hinted(
            format!("two vectors are called `{}`", dial.name),
            "requests choose a vector by its name: give --vector OTHER=FILE",
        )),
        None => Ok(()),
    }
}

/// A vector from a file.
fn file_dial(args: &ServeArgs, named: &NamedVector, aligner: &Aligner) -> anyhow::Result<Dial> {
    let path = &named.path;
    let layers = args.layers.clone().unwrap_or_default();
    let vector = if is_gguf(path) || InsideFile::is_one(path) {
        let by = Steering::by(path, LayerSpec::Auto, unit(args));
        let range = defaults::range(&args.model, args.range.or_else(|| trained_range_of(path)));
        let loaded = Steering { any_model: args.any_model, range, ..by }.load(&aligner.model)?;
        loaded.notes.iter().for_each(|note| output::note!("{note}"));
        DialVector::Control(loaded.vector)
    } else {
        let reading = Reading::load(path)?;
        check_reading(&reading, path, &aligner.model, args.any_model)?;
        DialVector::Reading(Arc::new(reading), unit(args))
    };
    let dial = dial(args, named.name.clone(), vector, layers, trained_range_of(path));
    if let DialVector::Reading(reading, unit) = &dial.vector {
        let steering = Steering { range: dial.range, ..Steering::by(path, dial.layers.clone(), *unit) };
        let layers = dial.layers.of_reading(reading, aligner.model.decoder.config().n_layers)?;
        training_notes(reading, &steering, &layers).iter().for_each(|note| output::note!("{note}"));
    }
    Ok(dial)
}

fn open_route(path: &Path, aligner: &Aligner) -> anyhow::Result<CheckedRoute> {
    let checked = Route::open(path, aligner)?;
    if !checked.route.tested.is_better() {
        output::note!("warning: {}: this router was not better than its best single candidate", path.display());
    }
    Ok(checked)
}

fn open_profile(name: &str) -> anyhow::Result<(PathBuf, Profile)> {
    let path = find(name)?;
    let profile = Profile::load(&path)?;
    profile.check_vector(&path)?;
    Ok((path, profile))
}

/// A tuned vector, with the line that it was tuned by where no option changes what was tuned.
fn profile_dial(args: &ServeArgs, path: &Path, profile: &Profile, aligner: &Aligner) -> anyhow::Result<Dial> {
    if profile.template.text != aligner.template.source() {
        return Err(hinted(
            format!("{}: it was made with another template than this server's", path.display()),
            "a server has one template: leave --template out, or serve profiles of one template",
        ));
    }
    if !args.any_model {
        profile.check_model(path, &aligner.model)?;
    }
    let as_tuned = args.copy_bias == 0.0 && args.layers.is_none() && args.range.is_none() && args.unit.is_none();
    let file = profile.vector_path(path);
    let vector = match profile.unit.parse::<Unit>() {
        Ok(unit) => {
            let reading = Reading::load(&file)?;
            check_reading(&reading, &file, &aligner.model, true)?;
            DialVector::Reading(Arc::new(reading), args.unit.unwrap_or(unit))
        }
        Err(_) => {
            // the profile's model is checked above
            let by =
                Steering { any_model: true, range: profile.range, ..Steering::by(&file, LayerSpec::Auto, Unit::Gap) };
            DialVector::Control(by.load(&aligner.model)?.vector)
        }
    };
    let is_each = as_tuned && args.coefficient.is_none();
    let policy = match (&vector, profile.policy.clone().filter(|_| is_each)) {
        (DialVector::Reading(reading, _), Some(policy)) => {
            output::note!("{}: chooses a coefficient for each request that gives none", profile.name);
            Some(Arc::new(ReadPolicy::new(policy, (**reading).clone())?))
        }
        _ => None,
    };
    let ProfileFit { variant, slope, intercept, coherent_range, .. } = profile.fit;
    let measured = MeasuredDial { coherent_range: [coherent_range.low, coherent_range.high], intercept, slope };
    Ok(Dial {
        name: profile.name.clone(),
        vector,
        layers: args.layers.clone().unwrap_or_else(|| LayerSpec::List(profile.layers.clone())),
        range: args.range.unwrap_or(profile.range),
        copy_bias: args.copy_bias,
        coefficient: args.coefficient.unwrap_or(profile.coefficient),
        policy,
        // replies tell this ratio
        measured: (as_tuned && variant == EditRatioVariant::Char).then_some(measured),
    })
}

fn unit(args: &ServeArgs) -> Unit {
    args.unit.unwrap_or_default()
}

fn dial(
    args: &ServeArgs,
    name: String,
    vector: DialVector,
    layers: LayerSpec,
    trained_over: Option<TokenRange>,
) -> Dial {
    let range = defaults::range(&args.model, args.range.or(trained_over));
    let (copy_bias, coefficient) = (args.copy_bias, args.coefficient.unwrap_or(0.0));
    Dial { name, vector, layers, range, copy_bias, coefficient, policy: None, measured: None }
}

/// The direction of the built-in Aligner.
fn own_dial(args: &ServeArgs, layers: LayerSpec) -> anyhow::Result<Dial> {
    let vector = DialVector::Reading(Arc::new(embedded::reading()?), unit(args));
    Ok(dial(args, OWN_VECTOR.into(), vector, layers, None))
}
