//! What the prompt of a row asks for is in its tokens, and nowhere else.

use super::{rows, tokenizer};
use crate::AlignerTemplate;
use crate::train::example::{ExampleReader, Output};

#[test]
fn each_row_has_the_instruction_of_its_place() {
    let (tokenizer, rows) = (tokenizer(), rows(3));
    let template = AlignerTemplate::from_text("t", "{instruction}Q: {question} A: {answer} C:").unwrap();
    let reader = ExampleReader::new(&tokenizer, &template, 200).unwrap();
    let asked = ["Be brief".to_owned(), String::new()];
    let examples = reader.read_instructed("training", &rows, &asked, Output::Correction).unwrap();
    let plain = reader.read("training", &rows, Output::Correction).unwrap();
    let own = template.with_instruction("Be brief").unwrap();
    let own = ExampleReader::new(&tokenizer, &own, 200).unwrap().read("training", &rows, Output::Correction).unwrap();
    // the first row asks, the second asks for nothing, the third has no instruction at all
    assert_eq!(examples[0], own[0]);
    assert_ne!(examples[0].prompt(), plain[0].prompt());
    assert_eq!(examples[1..], plain[1..]);
    let outputs = [&examples[0], &plain[0]].map(|example| example.tokens[example.prompt_len..].to_vec());
    assert_eq!(outputs[0], outputs[1], "the loss counts the same tokens");
    let text = tokenizer.decode(examples[0].prompt(), true).unwrap();
    assert!(text.contains("Be brief. Q: How do I make"), "{text}");
}

#[test]
fn a_template_without_a_place_refuses_it() {
    let (tokenizer, rows) = (tokenizer(), rows(2));
    let template = super::short_template();
    let reader = ExampleReader::new(&tokenizer, &template, 200).unwrap();
    let refused = reader.read_instructed("training", &rows, &["Be brief".to_owned()], Output::Correction);
    assert!(refused.unwrap_err().to_string().contains("it has no {instruction}"));
}
