//! What is sent, sent again, and kept of it.

use super::*;

#[test]
fn what_passes_is_asked_again() {
    for line in [
        Line::error(429, "too many").with_header("retry-after", "0"),
        Line::error(503, "busy"),
        Line::error(500, "oops"),
        Line::new(200, json!({ "error": { "message": "busy", "code": 429 } })),
        Line::new(200, json!({ "choices": [{ "error": { "message": "provider is down", "code": 502 } }] })),
    ] {
        let server = Server::new(move |n, _| if n < 3 { line.clone() } else { Line::text("[[A]]") });
        let mut judge = server.judge(Form::Letter);
        let judged = judge.judge(&asked(1), &mut ()).unwrap();
        assert_eq!(verdicts(&judged), [Ok(Verdict::First)]);
        assert_eq!((judge.account().n_requests, judge.account().n_retries, judge.account().tokens), (4, 3, [100, 10]));
    }
}

#[test]
fn the_server_says_how_long_to_wait_and_all_wait() {
    let server = Server::new(|n, _| match n {
        0 => Line::error(429, "too many").with_header("retry-after", "1"),
        _ => Line::text("[[A]]"),
    });
    let mut judge = server.judge_with(Form::Letter, |options| options.n_workers = 1);
    let started = Instant::now();
    assert_eq!(judge.judge(&asked(2), &mut ()).unwrap().len(), 2);
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[test]
fn requests_are_spread_over_a_minute() {
    let server = Server::new(|_, _| Line::text("[[A]]"));
    let mut judge = server.judge_with(Form::Letter, |options| options.most_per_minute = 600.try_into().ok());
    let started = Instant::now();
    judge.judge(&asked(4), &mut ()).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(295), "three gaps of 100 ms");
}

#[test]
fn a_wrong_key_ends_the_run_and_nothing_is_reported() {
    for (status, cure) in [(401, "key"), (403, "key"), (404, "name of the model"), (400, "form of question")] {
        let server = Server::new(move |_, _| Line::error(status, &format!("bad: {KEY}")));
        let mut judge = server.judge(Form::Letter);
        let mut heard = Heard::default();
        let error = judge.judge(&asked(8), &mut heard).unwrap_err();
        let JudgeError::Failed { judge: name, source } = &error else { panic!("{error:?}") };
        assert_eq!(name, judge.id());
        let text = source.to_string();
        assert!(
            text.starts_with("3 comparisons in a row had no reply; the last one: the upstream server answered"),
            "{text}"
        );
        assert!(text.contains(&format!("answered {status}: bad: [hidden]; ")) && text.contains(cure), "{text}");
        assert!(
            heard.judged.is_empty() && judge.account().n_requests < 8,
            "a log would hold a fault of the settings for ever"
        );
    }
}

#[test]
fn a_request_that_is_refused_is_an_error_of_its_comparison() {
    let refused = |_: usize, body: &Value| match shows(body, "two") || shows(body, "three") {
        true => Line::error(400, &format!("too long for {KEY}")),
        false => Line::text("[[A]]").after(20),
    };
    let server = Server::new(refused);
    let mut heard = Heard::default();
    let judged = server.judge(Form::Letter).judge(&asked(5), &mut heard).unwrap();
    let errors: Vec<usize> = (0..5).filter(|index| judged[*index].verdict == Err(NoVerdict::NoReply)).collect();
    assert_eq!(errors, [2, 3]);
    assert_eq!(judged[2].raw, "the upstream server answered 400: too long for [hidden]");
    assert_eq!(heard.judged.len(), 5);
    assert!(![2, 3].contains(&heard.indices()[0]), "held back until another one is answered");
    // once some are answered, three in a row are no fault of the settings
    let late = Server::new(|n, _| if n == 0 { Line::text("[[A]]") } else { Line::error(413, "too long") });
    let mut judge = late.judge_with(Form::Letter, |options| options.n_workers = 1);
    let judged = judge.judge(&asked(8), &mut ()).unwrap();
    assert_eq!(judged.iter().filter(|judged| judged.verdict.is_err()).count(), 7);
    let error = judge.judge(&asked(40), &mut ()).unwrap_err();
    assert!(chain(&error).contains("3 comparisons in a row"), "another call knows nothing yet: {error:?}");
}

#[test]
fn what_the_server_did_not_get_to_stays_open() {
    let server = Server::new(|_, body| match shows(body, "one") {
        true => Line::error(429, "quota"),
        false => Line::text("[[A]]"),
    });
    let mut judge = server.judge_with(Form::Letter, |options| options.n_attempts = 2);
    let mut heard = Heard::default();
    let error = judge.judge(&asked(6), &mut heard).unwrap_err();
    let text = chain(&error);
    assert!(text.contains("1 of 6 comparisons had no reply and stay open") && text.contains("go on later"), "{text}");
    let mut indices = heard.indices();
    indices.sort_unstable();
    assert_eq!(indices, [0, 2, 3, 4, 5], "all others are judged, and the open one is no judgement");
}

#[test]
fn a_log_holds_what_was_judged_and_the_rest_is_asked_again() {
    let is_up = Arc::new(AtomicBool::new(false));
    let seen = is_up.clone();
    let server = Server::new(move |_, body| match shows(body, "one") && !seen.load(Ordering::SeqCst) {
        true => Line::error(503, "busy"),
        false => Line::text("[[A]]"),
    });
    let folder = std::env::temp_dir().join(format!("redline-server-judge-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("judgements.jsonl");
    let logged = || LoggedJudge::new(server.judge(Form::Letter), JudgementLog::open(&path).unwrap()).unwrap();
    let mut judge = logged();
    assert!(judge.judge(&asked(4), &mut ()).is_err());
    assert_eq!(judge.log().index().len(), 3);
    drop(judge);
    is_up.store(true, Ordering::SeqCst);
    let mut judge = logged();
    let judged = judge.judge(&asked(4), &mut ()).unwrap();
    assert_eq!(verdicts(&judged), [Ok(Verdict::First); 4]);
    assert_eq!(judge.inner().account().n_requests, 1);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("judge-7b") && !text.contains("very-secret"), "{text}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_server_that_is_not_there_ends_the_run() {
    let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = JudgeOptions { first_wait: Duration::ZERO, ..JudgeOptions::default() };
    let mut judge = ServerJudge::new(&format!("http://{place}/v1"), "m", Form::Letter, None, options).unwrap();
    let error = judge.judge(&asked(8), &mut ()).unwrap_err();
    assert!(chain(&error).contains("check that the server runs"), "{error:?}");
    assert!(judge.account().n_retries >= 9, "each of three is tried four times");
}

#[test]
fn the_new_name_of_the_limit_is_used_where_the_old_one_is_refused() {
    let server = Server::new(|_, body| match body.get("max_tokens") {
        Some(_) => Line::error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        None => Line::text(if body["max_completion_tokens"] == 1024 { "[[A]]" } else { "[[B]]" }),
    });
    let mut judge = server.judge_with(Form::Letter, |options| options.n_workers = 1);
    let judged = judge.judge(&asked(3), &mut ()).unwrap();
    assert_eq!(verdicts(&judged), [Ok(Verdict::First); 3]);
    assert_eq!((judge.account().n_requests, server.n_requests()), (4, 4), "learned once");
    let stubborn = Server::new(|_, _| Line::error(400, "max_completion_tokens is none of yours"));
    let error = stubborn.judge(Form::Letter).judge(&asked(3), &mut ()).unwrap_err();
    assert!(chain(&error).contains("none of yours"), "and not for ever");
}

#[test]
fn results_are_in_order_although_the_first_comes_last() {
    let server = Server::new(|_, body| match shows(body, "zero") {
        true => Line::text("[[A]]").after(300),
        false => Line::text("[[B]]").after(10),
    });
    let mut judge = server.judge(Form::Letter);
    let mut heard = Heard::default();
    let judged = judge.judge(&asked(8), &mut heard).unwrap();
    assert_eq!(judged[0].verdict, Ok(Verdict::First));
    assert!(judged[1..].iter().all(|judged| judged.verdict == Ok(Verdict::Second)));
    assert_eq!(heard.indices().last(), Some(&0), "each is reported when it comes");
    assert!(heard.judged.iter().all(|(index, heard)| *heard == judged[*index]));
    let most = server.seen.lock().unwrap().most_at_a_time;
    assert!((2..=4).contains(&most), "{most}");
    assert!(judge.judge(&[], &mut ()).unwrap().is_empty());
}

#[test]
fn an_observer_ends_the_run_and_what_is_being_asked() {
    let server = Server::new(|n, _| Line::text("[[A]]").after(if n == 0 { 0 } else { 60_000 }));
    let mut judge = server.judge(Form::Letter);
    let started = Instant::now();
    let error = judge.judge(&asked(8), &mut Heard { most: Some(1), ..Heard::default() }).unwrap_err();
    assert!(matches!(error, JudgeError::File(redline_model::Error::Interrupted)), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(20) && server.n_requests() <= 5);
    // the judge can be asked again
    let server = Server::new(|_, _| Line::text("[[A]]"));
    let mut judge = server.judge_with(Form::Letter, |options| options.n_workers = 1);
    judge.judge(&asked(2), &mut Heard { most: Some(1), ..Heard::default() }).unwrap_err();
    assert_eq!(judge.judge(&asked(2), &mut ()).unwrap().len(), 2);
}

#[test]
fn a_check_ends_the_wait_for_a_reply() {
    let server = Server::new(|_, _| Line::text("[[A]]").after(60_000));
    let started = Instant::now();
    let end = move || match started.elapsed() > Duration::from_millis(300) {
        true => Err(redline_model::Error::Interrupted.into()),
        false => Ok(()),
    };
    let error = server.judge(Form::Letter).with_check(end).judge(&asked(2), &mut ()).unwrap_err();
    assert!(error.to_string().contains("interrupted") && started.elapsed() < Duration::from_secs(20));
}

#[test]
fn the_key_is_nowhere() {
    let server = Server::new(|n, _| match n {
        0 => Line::text(&format!("you sent {KEY} [[A]]")),
        1 => Line::message(json!({ "refusal": format!("not with {KEY}") })),
        2 => Line::error(400, &format!("the key {KEY} is odd")),
        _ => Line::error(401, &format!("the key {KEY} is spent")).with_header("x-ratelimit-key", KEY),
    });
    let mut judge = server.judge_with(Form::Letter, |options| options.n_workers = 1);
    let mut heard = Heard::default();
    let error = judge.judge(&asked(8), &mut heard).unwrap_err();
    let shown = format!("{judge:?} {} {} {:?} {}", judge.id(), judge.template(), heard.judged, chain(&error));
    assert!(!shown.contains("very-secret"), "{shown}");
    assert!(shown.contains("the key [hidden] is spent") && shown.contains("judge-7b"), "{shown}");
    // stars keep the length of a reply
    assert_eq!(heard.judged[1].1.raw, format!("not with {}", "*".repeat(KEY.len())));
    assert_eq!(heard.judged.len(), 2, "the refused one is held back");
    // a short key, which may be a word of a reply, is hidden in records all the same
    let server = Server::new(|n, _| match n {
        0 => Line::text("pass-word [[A]]"),
        _ => Line::new(200, json!({ "error": { "message": "pass-word is odd", "code": 400 } })),
    });
    let mut judge =
        ServerJudge::new(&server.url, "m", Form::Letter, Some("pass-word"), JudgeOptions::default()).unwrap();
    let raw = |judged: Result<Vec<Judged>>| judged.unwrap()[0].raw.clone();
    assert_eq!(raw(judge.judge(&asked(1), &mut ())), "[hidden] [[A]]");
    assert_eq!(raw(judge.judge(&asked(1), &mut ())), "the upstream server answered 400: [hidden] is odd");
    assert!(!chain(&judge.judge(&asked(3), &mut ()).unwrap_err()).contains("pass-word"));
}

#[test]
fn what_cannot_be_asked_is_refused_without_its_secrets() {
    let new = |url: &str, model: &str, key: Option<&str>, options: JudgeOptions| {
        chain(&ServerJudge::new(url, model, Form::Letter, key, options).map(|_| ()).unwrap_err())
    };
    let default = JudgeOptions::default;
    for url in ["http://me:secret@host/v1", "http://host/v1?key=secret", "secret@host/v1", "http://host/secret word\n"]
    {
        let text = new(url, "m\u{7}", None, default());
        assert!(!text.contains("secret"), "{text}");
    }
    assert!(new("me:secret@host", "m", None, default()).contains("begin with http"));
    assert!(!new("me:secret@host", "m", None, default()).contains("secret"));
    let with_key = format!("http://host/{KEY}/v1");
    let text = new(&with_key, "m", Some(KEY), default());
    assert!(text.contains("must not hold the key") && !text.contains("very-secret"), "{text}");
    assert!(new("http://host/v1", " ", None, default()).contains("the name of the model is empty"));
    assert!(new("http://host/v1", "m", Some("a\nb"), default()).contains("no header can hold"));
    for options in [
        JudgeOptions { n_workers: 0, ..default() },
        JudgeOptions { n_attempts: 0, ..default() },
        JudgeOptions { prices: Some(Prices { prompt: f64::NAN, completion: 0.0 }), ..default() },
        JudgeOptions { prices: Some(Prices { prompt: 0.0, completion: -1.0 }), ..default() },
    ] {
        assert!(new("http://host/v1", "m", None, options).contains("must be a number of at least"));
    }
    let judge = ServerJudge::new(" http://host/v1/ ", "org/m", Form::Letter, None, default()).unwrap();
    assert_eq!(judge.id(), "http://host/v1#org/m");
}
