use super::*;

fn domain() -> Domain {
    Domain {
        schema: SCHEMA.into(),
        model: "m".into(),
        template: "t".into(),
        most_cost: 0.02,
        most_tokens: 100,
        least_letters_per_token: 2.5,
        passes: 0.99,
        n_rows: 400,
        made_with: "redline".into(),
    }
}

fn figures(cost: f64, tokens: usize) -> Figures {
    Figures { cost, tokens, letters_per_token: Some(3.0) }
}

fn spelt(letters: f64) -> Figures {
    Figures { letters_per_token: Some(letters), ..figures(0.0, 10) }
}

/// A good solution of a sum, as people write it elsewhere.
const ELSEWHERE: [&str; 2] = [
    "A baker fills 12 trays with 9 rolls each and sells 5/6 of them. How many are left?",
    "The baker has 12*9=108 rolls.\nHe sells 108*5/6=90 rolls.\nSo 108-90=18 rolls are left.\nA: 18",
];

/// Texts that its tokenizer has to spell: other languages, code, names.
const SPELT: [[&str; 2]; 5] = [
    ["Comment faire cuire du riz ?", "Rincez le riz à l'eau froide, puis faites-le cuire douze minutes à feu doux."],
    ["Wie kocht man Reis?", "Spülen Sie den Reis mit kaltem Wasser und kochen Sie ihn zwölf Minuten lang."],
    ["What does it say?", "aGVsbG8gd29ybGQsIHRoaXMgaXMgYSBiYXNlNjQgc3RyaW5nIHRoYXQgZ29lcyBvbiBmb3IgYSB3aGlsZQ=="],
    ["Square the numbers.", "let squares: Vec<u32> = (0..10).map(|i| i * i).collect(); println!(\"{squares:?}\");"],
    [
        "What is photosynthesis?",
        "Chlorophyll-mediated excitations yield adenosine triphosphate across thylakoid membranes.",
    ],
];

#[test]
fn a_quartile_is_a_value_that_three_quarters_do_not_exceed() {
    assert_eq!(upper_quartile(vec![]), None);
    assert_eq!(upper_quartile(vec![5.0]), Some(5.0));
    assert_eq!(upper_quartile(vec![4.0, 1.0, 3.0, 2.0]), Some(3.0));
    // dear flaws in fewer than a quarter of the tokens change nothing
    assert_eq!(upper_quartile(vec![0.1, 0.1, 0.1, 0.1, 9.0]), Some(0.1));
}

#[test]
fn limits_let_as_many_through_as_they_say() {
    let costs: Vec<f64> = (1..=999).rev().map(f64::from).collect();
    assert_eq!(limit_of(costs, 0.99), Some((990.0, 0.99)));
    // too few for 99 %: the highest, and what that lets through
    assert_eq!(limit_of(vec![2.0, 3.0, 1.0], 0.99), Some((3.0, 0.75)));
    assert_eq!(limit_of(vec![], 0.99), None);
}

#[test]
fn each_figure_puts_an_answer_outside() {
    let domain = domain();
    let is_outside = |cost, tokens| domain.standing(figures(cost, tokens), Outside::Warn).outside;
    assert!(!is_outside(0.02, 100) && is_outside(0.021, 100) && is_outside(0.02, 101));
    let by_letters = |letters| domain.standing(spelt(letters), Outside::Warn).outside;
    assert!(!by_letters(2.5) && by_letters(2.49));
    let without = Figures { letters_per_token: None, ..figures(0.0, 10) };
    assert!(!domain.standing(without, Outside::Warn).outside, "an answer without letters is spelt by nobody");
    let copied = |cost, outside| domain.standing(figures(cost, 10), outside).copied;
    assert!(copied(1.0, Outside::Copy) && !copied(1.0, Outside::Warn) && !copied(0.01, Outside::Copy));
}

#[test]
fn words_name_the_figures_beyond_their_limits() {
    let words = |cost, tokens| domain().standing(figures(cost, tokens), Outside::Warn).in_words();
    assert_eq!(words(1.0, 10), "copying it costs 1.000 nats a token (upper quartile; the limit is 0.020)");
    assert_eq!(words(0.0, 200), "it has 200 tokens (the limit is 100)");
    assert!(words(1.0, 200).contains("0.020), and it has 200"));
    let words = domain().standing(spelt(1.5), Outside::Warn).in_words();
    assert_eq!(words, "its words fall into tokens of 1.50 letters (the limit is 2.50)");
}

#[test]
fn of_parts_the_farthest_outside_stands_for_all() {
    let domain = domain();
    let [dear, long] =
        [domain.standing(figures(0.03, 10), Outside::Copy), domain.standing(figures(0.0, 1000), Outside::Warn)];
    let worse = dear.worse(long);
    assert_eq!((worse.tokens, worse.outside, worse.copied), (1000, true, true));
    assert_eq!(long.worse(dear), worse);
    let foreign = domain.standing(spelt(0.5), Outside::Warn);
    assert_eq!(dear.worse(foreign).letters_per_token, Some(0.5), "a fifth of the limit, against 1.5 times the other");
}

#[test]
fn every_rule_of_the_file_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("domain.json");
    domain().save(&path).unwrap();
    assert_eq!(Domain::load(&path).unwrap(), domain());
    let refusal = |broken: Domain| Domain::parse("x", &serde_json::to_string(&broken).unwrap()).unwrap_err();
    for (broken, rule) in [
        (Domain { schema: "redline.domain.v2".into(), ..domain() }, "`schema` is `redline.domain.v2`"),
        (Domain { most_cost: -1.0, ..domain() }, "`most_cost` is -1"),
        (Domain { most_tokens: 0, ..domain() }, "`most_tokens` is 0"),
        (Domain { least_letters_per_token: -1.0, ..domain() }, "`least_letters_per_token` is -1"),
        (Domain { passes: 1.5, ..domain() }, "`passes` is 1.5"),
        (Domain { n_rows: 0, ..domain() }, "`n_rows` is 0"),
    ] {
        let error = refusal(broken);
        assert!(error.to_string().contains(rule) && error.hint().is_some(), "{error}");
    }
    assert!(Domain::parse("x", "{}").unwrap_err().to_string().contains("missing field"));
    let mut older = serde_json::to_value(domain()).unwrap();
    older.as_object_mut().unwrap().remove("least_letters_per_token");
    assert_eq!(Domain::parse("x", &older.to_string()).unwrap().least_letters_per_token, 0.0, "no limit");
}

#[test]
fn the_aligner_inside_knows_its_own_texts_and_no_others() {
    let aligner = Aligner::embedded().unwrap();
    let domain = Domain::built_in(&aligner).unwrap().expect("assets/aligner/domain.json belongs to these weights");
    let tokens = |text: &str| aligner.tokenizer().unwrap().encode_text(text).unwrap();
    let standing = |question: &str, answer: &str| {
        let (prompt, answer) = (aligner.prompt(question, answer).unwrap(), tokens(answer));
        let asked = Asked { tokenizer: aligner.tokenizer().unwrap(), prompt: &prompt, answer: &answer };
        domain.judge(&aligner.model.decoder, &asked, Outside::Copy).unwrap().map(|judged| judged.standing)
    };
    let rows = embedded::rows().unwrap();
    let inside = rows.iter().take(20).filter(|row| !standing(&row.question, &row.answer).unwrap().outside).count();
    assert!(inside >= 19, "{inside}");
    let elsewhere = standing(ELSEWHERE[0], ELSEWHERE[1]).unwrap();
    assert!(elsewhere.outside && elsewhere.copied && elsewhere.cost > 0.1, "{elsewhere:?}");
    assert_eq!(standing("Capital of France?", "Paris."), None, "too short to tell");
    for [question, answer] in SPELT {
        let standing = standing(question, answer).unwrap();
        assert!(
            standing.outside && standing.letters_per_token < Some(standing.least_letters_per_token),
            "{standing:?}"
        );
    }
}

#[test]
fn a_domain_is_of_one_aligner_and_template() {
    let aligner = Aligner::embedded().unwrap();
    let own = Domain { model: aligner.model.fingerprint.clone(), template: aligner.template.source(), ..domain() };
    assert_eq!(Domain::of(&aligner, Some(&own), None, Outside::Warn).unwrap(), Some(own.clone()));
    assert_eq!(Domain::of(&aligner, Some(&own), None, Outside::Correct).unwrap(), None, "nothing is checked");
    for (other, what) in [
        (Domain { model: "other".into(), ..own.clone() }, "with other weights"),
        (Domain { template: "other".into(), ..own.clone() }, "with another template"),
    ] {
        let error = Domain::of(&aligner, Some(&other), None, Outside::Warn).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        // a profile's may be of another Aligner, where any is accepted: then it says nothing here
        assert_ne!(Domain::of(&aligner, None, Some(&other), Outside::Warn).unwrap(), Some(other));
    }
    assert_eq!(Domain::of(&aligner, None, Some(&own), Outside::Warn).unwrap(), Some(own));
    // nothing is known of it by another template
    let other = Aligner::new(
        embedded::model().unwrap(),
        redline_model::AlignerTemplate::by_name_or_file("aligner-2b").unwrap(),
    );
    assert_eq!(Domain::of(&other, None, None, Outside::Warn).unwrap(), None);
    assert!(Domain::of(&other, None, None, Outside::Copy).unwrap_err().to_string().contains("--outside copy"));
}

#[test]
fn calibrating_takes_one_answer_a_question_and_enough_of_them() {
    let aligner = Aligner::embedded().unwrap();
    let rows = embedded::rows().unwrap();
    let pairs = || rows.iter().map(|row| (row.question.as_str(), row.answer.as_str()));
    let domain = calibrate(&aligner, pairs().take(30).chain(pairs().take(30)), &mut ()).unwrap();
    assert!((20..=30).contains(&domain.n_rows), "{}", domain.n_rows);
    assert!((domain.passes - (1.0 - 3.0 / (domain.n_rows + 1) as f64)).abs() < 1e-12);
    assert!((2.0..4.0).contains(&domain.least_letters_per_token), "{}", domain.least_letters_per_token);
    domain.check_aligner("here", &aligner).unwrap();
    let error = calibrate(&aligner, pairs().take(3), &mut ()).unwrap_err();
    assert!(error.to_string().contains("20 are needed"), "{error}");
}
