//! The page in headless Chromium, by way of ChromeDriver, where both are installed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::FLAWED;
use super::http::{Reply, send};
use super::program::Server;
use super::upstream::Mock;
use crate::program::not_tested;

const PATIENCE: Duration = Duration::from_secs(60);
/// Keys as WebDriver writes them.
const RIGHT: &str = "\u{e014}";
const END: &str = "\u{e010}";
const TAB: &str = "\u{e004}";

/// The button of the example that `FLAWED` is of.
const CAPITAL: &str = "#examples button:nth-child(2)";

/// A browser window.
struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
}

impl Browser {
    fn start() -> Option<Self> {
        let chromium = ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find(|name| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()))?;
        let mut driver =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        })?;
        let address = ([127, 0, 0, 1], port).into();
        let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let path = Command::new("which").arg(chromium).output().unwrap().stdout;
        let options = json!({ "binary": String::from_utf8(path).unwrap().trim(), "args": arguments });
        let capabilities = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let mut browser = Self { driver, address, session: String::new() };
        let opened = browser.ask("POST", "", &capabilities);
        browser.session = format!("/{}", opened["sessionId"].as_str().expect("a session"));
        Some(browser)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let path = format!("/session{}{path}", self.session);
        let reply: Reply = send(self.address, method, &path, &[], &body);
        assert_eq!(reply.status, 200, "{path} {body}: {reply:?}");
        reply.json()["value"].clone()
    }

    fn open(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url }));
    }

    fn run(&self, script: &str) -> Value {
        self.ask("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    fn element(&self, selector: &str) -> String {
        let found = self.ask("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_string()
    }

    fn click(&self, selector: &str) {
        self.ask("POST", &format!("/element/{}/click", self.element(selector)), &json!({}));
    }

    fn press(&self, selector: &str, keys: &str) {
        self.ask("POST", &format!("/element/{}/value", self.element(selector)), &json!({ "text": keys }));
    }

    /// Waits until a script says something true.
    fn wait(&self, script: &str) {
        let started = Instant::now();
        while !self.run(script).as_bool().unwrap_or(false) {
            let status = self.run("return document.getElementById('status').textContent");
            assert!(started.elapsed() < PATIENCE, "{script} stays false; status: {status}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn wait_done(&self) {
        self.wait("return document.getElementById('status').textContent.startsWith('Done')");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = send(self.address, "DELETE", &format!("/session{}", self.session), &[], "");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

#[test]
fn the_page_in_chromium() {
    let Some(browser) = Browser::start() else {
        return not_tested("the page: Chromium and ChromeDriver (packages chromium, chromium-driver) are not there");
    };
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    browser.open(&format!("http://{}/", server.address));
    browser.wait("return document.getElementById('status').textContent.startsWith('Ready')");
    browser.wait("return document.getElementById('upstream-model').options.length > 0");
    // from the beginning of the page, the keyboard first reaches the link to the dial
    browser.press("body", TAB);
    assert_eq!(browser.run("return document.activeElement.className"), "skip");
    corrects(&browser, &server);
    first_example_moves(&browser);
    strip_and_session(&browser, &server);
    keyboard(&browser);
    feedback_and_errors(&browser);
    upstream(&browser);
    accessible(&browser);
    phone(&browser);
    let own = format!("http://{}/", server.address);
    let loaded = browser.run("return performance.getEntriesByType('resource').map((entry) => entry.name)");
    let loaded = loaded.as_array().unwrap();
    assert!(loaded.len() >= 4 && loaded.iter().all(|url| url.as_str().unwrap().starts_with(&own)), "{loaded:?}");
}

fn corrects(browser: &Browser, server: &Server) {
    browser.click(CAPITAL);
    browser.wait_done();
    let removed = browser.run("return document.querySelector('#correction del').lastChild.textContent");
    assert!(removed.as_str().unwrap().starts_with("You are a"), "{removed}");
    let shown = browser.run("return document.getElementById('measured').textContent");
    let body =
        json!({ "question": "What is the capital of France?", "answer": FLAWED, "steering": { "coefficient": 0 } });
    let ratio = server.post("/v1/correct", &body).json()["edit_ratio"].as_f64().unwrap();
    assert_eq!(shown.as_str().unwrap(), format!("{ratio:.3}"));
    let columns = browser.run("return Number(document.getElementById('scan').dataset.columns)").as_u64().unwrap();
    let cells = browser.run("return document.querySelectorAll('#scan rect').length").as_u64().unwrap();
    assert!(columns > 4 && cells == 4 * columns, "{columns} columns, {cells} cells");
    let summary = browser.run("return document.getElementById('scan-summary').textContent");
    assert!(summary.as_str().unwrap().starts_with(&format!("{columns} tokens at 4 layers")), "{summary}");
    browser.click("#examples button:nth-child(4)");
    browser.wait("return document.getElementById('status').textContent === 'Done: the answer was copied.'");
}

/// The first example is another text at −1, 0 and 1.
fn first_example_moves(browser: &Browser) {
    browser.click("[data-coefficient='0']");
    browser.click("#examples button:nth-child(1)");
    let mut corrections = std::collections::BTreeSet::new();
    for coefficient in ["-1", "0", "1"] {
        browser.click(&format!("[data-coefficient='{coefficient}']"));
        browser.wait_done();
        let text = browser.run("return document.getElementById('correction').dataset.text");
        corrections.insert(text.as_str().unwrap().to_owned());
    }
    assert_eq!(corrections.len(), 3, "{corrections:?}");
}

/// Five settings in one batch, each as it would be alone; what is selected is the correction; a link and a file keep the state.
fn strip_and_session(browser: &Browser, server: &Server) {
    browser.wait("return document.querySelectorAll('.setting').length === 5");
    let settings = browser.run(
        "return [...document.querySelectorAll('.setting')].map((node) => [Number(node.dataset.at), node.querySelector('small').textContent])",
    );
    let [question, answer] =
        ["question", "answer"].map(|id| browser.run(&format!("return document.getElementById('{id}').value")));
    for setting in settings.as_array().unwrap() {
        let body = json!({ "question": question, "answer": answer, "steering": { "coefficient": setting[0] } });
        let ratio = server.post("/v1/correct", &body).json()["edit_ratio"].as_f64().unwrap();
        assert_eq!(setting[1].as_str().unwrap(), format!("ratio {ratio:.3}"), "{setting}");
    }
    let selected = "const range = document.createRange(); const node = document.getElementById('correction');
         range.selectNodeContents(node); getSelection().removeAllRanges(); getSelection().addRange(range);
         return [getSelection().toString(), node.dataset.text, document.querySelectorAll('#correction del').length]";
    let selected = browser.run(selected);
    assert!(selected[2].as_u64().unwrap() > 0, "something was left out");
    assert_eq!(selected[0], selected[1], "what was left out is not selected");
    let link = browser.run("return stateLink()");
    let saved = browser.run("return session.length").as_u64().unwrap();
    assert!(saved >= 4, "{saved}");
    browser.open("about:blank");
    browser.open(link.as_str().unwrap());
    browser.wait("return document.getElementById('status').textContent.startsWith('Ready')");
    browser.wait("return document.getElementById('upstream-model').options.length > 0");
    assert_eq!(browser.run("return document.getElementById('question').value"), question);
    assert_eq!(browser.run("return document.getElementById('coefficient').textContent"), "1.00");
    browser.run("location.hash = ''");
    browser.click("[data-coefficient='0']");
    browser.wait_done();
}

/// The dial by keys alone.
fn keyboard(browser: &Browser) {
    browser.press("#dial", RIGHT);
    assert_eq!(browser.run("return document.getElementById('coefficient').textContent"), "0.05");
    browser.press("#dial", END);
    browser.wait_done();
    let edits = "return document.getElementById('coefficient').textContent === '2.00' && \
                 Number(document.getElementById('steered').textContent) > 0";
    browser.wait(edits);
    browser.click("[data-coefficient='-1']");
    browser.wait("return document.getElementById('coefficient').textContent === '−1.00'");
    browser.wait_done();
}

fn feedback_and_errors(browser: &Browser) {
    browser.press("#feedback", "more empathetic");
    browser.click("#correct");
    browser.wait_done();
    browser.run("document.getElementById('answer').value = 'word and '.repeat(3000)");
    browser.click("#correct");
    browser.wait("return document.getElementById('status').textContent.startsWith('Error: ')");
    browser.run("document.getElementById('answer').value = ''; document.getElementById('feedback').value = ''");
}

fn upstream(browser: &Browser) {
    browser.click("#ask");
    browser.wait_done();
    assert_eq!(browser.run("return document.getElementById('answer').value"), "Yes.");
}

/// Every control has a name, and the text beside it.
fn accessible(browser: &Browser) {
    let nameless = browser.run(
        "return [...document.querySelectorAll('input, textarea, select, button, [role=img], [tabindex]')]
            .filter((e) => !(e.labels?.length || e.ariaLabel || e.textContent.trim() || e.getAttribute('aria-labelledby')))
            .map((e) => e.outerHTML)",
    );
    assert_eq!(nameless, json!([]));
    assert_eq!(browser.run("return document.documentElement.lang"), "en");
    assert_eq!(browser.run("return document.getElementById('status').getAttribute('aria-live')"), "polite");
    assert_eq!(browser.run("return document.querySelectorAll('h1').length"), 1);
}

fn phone(browser: &Browser) {
    browser.ask("POST", "/window/rect", &json!({ "width": 375, "height": 740 }));
    browser.click(CAPITAL);
    browser.wait_done();
    let sizes = browser.run("return [document.documentElement.scrollWidth, window.innerWidth]");
    let [content, window] = [0, 1].map(|i| sizes[i].as_u64().unwrap());
    assert!(content <= window, "{content} wide content in a window of {window}");
    let small = browser.run(
        "return [...document.querySelectorAll('button')].filter((e) => e.offsetHeight && e.offsetHeight < 40).length",
    );
    assert_eq!(small, 0, "buttons are large enough for fingers");
}

#[test]
fn the_page_keeps_nobody_out() {
    let Some(browser) = crate::browser::Browser::find() else {
        return not_tested(&format!("the page for everybody: {}", crate::browser::NO_BROWSER));
    };
    let server = Server::start("");
    browser
        .holds("accessible.mjs", &[format!("http://{}/", server.address).as_ref(), CAPITAL.as_ref(), "Done".as_ref()]);
}
