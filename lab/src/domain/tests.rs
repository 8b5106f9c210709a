use super::*;

fn domain() -> Domain {
    Domain {
        schema: SCHEMA.into(),
        model: "m".into(),
        template: "t".into(),
        most_cost: 0.02,
        most_tokens: 100,
        passes: 0.99,
        n_rows: 400,
        made_with: "redline".into(),
    }
}

/// A good solution of a sum, as people write it elsewhere.
const ELSEWHERE: [&str; 2] = [
    "A baker fills 12 trays with 9 rolls each and sells 5/6 of them. How many are left?",
    "The baker has 12*9=108 rolls.\nHe sells 108*5/6=90 rolls.\nSo 108-90=18 rolls are left.\nA: 18",
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
fn either_figure_puts_an_answer_outside() {
    let domain = domain();
    let is_outside = |cost, tokens| domain.standing(cost, tokens, Outside::Warn).outside;
    assert!(!is_outside(0.02, 100) && is_outside(0.021, 100) && is_outside(0.02, 101));
    let copied = |cost, outside| domain.standing(cost, 10, outside).copied;
    assert!(copied(1.0, Outside::Copy) && !copied(1.0, Outside::Warn) && !copied(0.01, Outside::Copy));
}

#[test]
fn words_name_the_figures_beyond_their_limits() {
    let words = |cost, tokens| domain().standing(cost, tokens, Outside::Warn).in_words();
    assert_eq!(words(1.0, 10), "copying it costs 1.000 nats a token (upper quartile; the limit is 0.020)");
    assert_eq!(words(0.0, 200), "it has 200 tokens (the limit is 100)");
    assert!(words(1.0, 200).contains("0.020), and it has 200"));
}

#[test]
fn of_parts_the_farthest_outside_stands_for_all() {
    let domain = domain();
    let [dear, long] = [domain.standing(0.03, 10, Outside::Copy), domain.standing(0.0, 1000, Outside::Warn)];
    let worse = dear.worse(long);
    assert_eq!((worse.tokens, worse.outside, worse.copied), (1000, true, true));
    assert_eq!(long.worse(dear), worse);
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
        (Domain { passes: 1.5, ..domain() }, "`passes` is 1.5"),
        (Domain { n_rows: 0, ..domain() }, "`n_rows` is 0"),
    ] {
        let error = refusal(broken);
        assert!(error.to_string().contains(rule) && error.hint().is_some(), "{error}");
    }
    assert!(Domain::parse("x", "{}").unwrap_err().to_string().contains("missing field"));
}

#[test]
fn the_aligner_inside_knows_its_own_texts_and_no_others() {
    let aligner = Aligner::embedded().unwrap();
    let domain = Domain::built_in(&aligner).unwrap().expect("assets/aligner/domain.json belongs to these weights");
    let tokens = |text: &str| aligner.tokenizer().unwrap().encode_text(text).unwrap();
    let standing = |question: &str, answer: &str| {
        let prompt = aligner.prompt(question, answer).unwrap();
        domain.judge(&aligner.model.decoder, &prompt, &tokens(answer), Outside::Copy).unwrap().map(|j| j.standing)
    };
    let rows = embedded::rows().unwrap();
    let inside = rows.iter().take(20).filter(|row| !standing(&row.question, &row.answer).unwrap().outside).count();
    assert!(inside >= 19, "{inside}");
    let elsewhere = standing(ELSEWHERE[0], ELSEWHERE[1]).unwrap();
    assert!(elsewhere.outside && elsewhere.copied && elsewhere.cost > 0.1, "{elsewhere:?}");
    assert_eq!(standing("Capital of France?", "Paris."), None, "too short to tell");
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
    assert_eq!(domain.passes, 1.0 - 2.0 / (domain.n_rows + 1) as f64);
    domain.check_aligner("here", &aligner).unwrap();
    let error = calibrate(&aligner, pairs().take(3), &mut ()).unwrap_err();
    assert!(error.to_string().contains("20 are needed"), "{error}");
}
