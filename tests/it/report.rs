//! The report of a drill: what people read, what programs read, and that nothing can be changed in it unseen.

mod examples;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use bongsu::{
    domain::{DrillRule, Rule},
    report::{DrillReport, Lang, PublicKey, Sealed, Status, html, markdown, schema, verify},
};
use serde_json::Value;

use crate::support::programs::{assert_committed, program, run};
use examples::{hostile, key, live, not_started};

const BOTH: [(Lang, &str); 2] = [(Lang::En, "en"), (Lang::Ko, "ko")];

fn sealed(report: DrillReport) -> Sealed {
    Sealed::seal(report, Some(&key(7))).unwrap()
}

fn committed(name: &str, text: &str) {
    assert_committed(&format!("tests/data/report/{name}"), text);
}

#[test]
fn the_forms_of_a_report_are_those_that_were_looked_at() {
    for (name, report) in [("live", live()), ("not-started", not_started())] {
        let sealed = sealed(report);
        committed(&format!("{name}.json"), &String::from_utf8(sealed.to_bytes().unwrap()).unwrap());
        for (lang, code) in BOTH {
            committed(&format!("{name}.{code}.md"), &markdown(&sealed, lang));
            committed(&format!("{name}.{code}.html"), &html(&sealed, lang));
        }
    }
}

#[test]
fn every_report_fits_the_published_schema_and_nothing_else_does() {
    let published = fs::read_to_string("docs/drill-report.schema.json").unwrap();
    let stale = published != format!("{:#}\n", schema());
    assert!(!stale, "docs/drill-report.schema.json is not what the types say: run make generate");
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for report in [live(), not_started(), hostile("<x>")] {
        let value = serde_json::to_value(report).unwrap();
        let mut file = serde_json::json!({ "report": value, "digest": "00" });
        let errors: Vec<String> = validator.iter_errors(&file).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        file["report"]["identity"]["unknown"] = 1.into();
        assert!(!validator.is_valid(&file));
    }
}

/// Letters that would end a tag, an attribute, a comment or a style, and one that turns text around.
const ATTACK: &str = "\"'><script>alert(1)</script><img src=x onerror=a>&lt;--><!--]]></style>\u{202e}|\n# h `c` **b** [l](http://e.example)";

#[test]
fn what_others_wrote_is_never_markup_in_the_page() {
    let elements = "html head meta title style body main header p h1 div section h2 h3 span b dl dt dd table thead tbody \
                    tr th td figure figcaption svg rect path text ul li i";
    let attributes =
        "lang charset http-equiv content name class viewBox role aria-label x y width height d text-anchor";
    for (lang, _) in BOTH {
        let page = html(&Sealed::seal(live(), None).unwrap(), lang);
        let quiet = tags(&page);
        let page = html(&unchecked(hostile(ATTACK)), lang);
        for forbidden in ["<script", "<img", "\u{202e}", "onerror=a>"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        let hostile = tags(&page);
        for (element, names) in quiet.iter().chain(&hostile) {
            assert!(elements.split_whitespace().any(|known| known == element), "{element}");
            let unknown =
                names.iter().find(|name| !attributes.split_whitespace().any(|known| known == *name));
            assert_eq!(unknown, None, "{element}");
        }
    }
}

/// Hangul syllables.
fn is_korean(text: &str) -> bool {
    text.chars().any(|letter| ('가'..='힣').contains(&letter))
}

#[test]
fn every_rule_and_check_of_the_core_says_what_it_means_in_both_languages() {
    let line = |report: &DrillReport, lang: Lang, has: &str| {
        let text = markdown(&sealed(report.clone()), lang);
        text.lines().find(|line| line.contains(has)).unwrap().to_owned()
    };
    let mut report = live();
    for rule in DrillRule::ALL {
        report.verdict.rule = rule.to_string();
        let said = BOTH.map(|(lang, _)| {
            let line = line(&report, lang, &format!("**{rule}**"));
            line.split_once("** ").map(|(_, said)| said.to_owned()).unwrap_or_default()
        });
        assert!(said[0].len() > 10 && !is_korean(&said[0]) && is_korean(&said[1]), "{rule}: {said:?}");
    }
    for rule in Rule::ALL {
        report.pre_checks[0].name = rule.as_str().to_owned();
        let [en, ko] = BOTH.map(|(lang, _)| line(&report, lang, &format!("| {}: ", rule.as_str())));
        let [en, ko] = [&en, &ko].map(|line| line.split('|').nth(1).unwrap());
        assert!(!is_korean(en) && is_korean(ko), "{en} {ko}");
    }
}

#[test]
fn a_target_missed_by_a_millisecond_is_said_and_drawn() {
    let mut report = live();
    for (real, said, drawn) in [(240_000, "within target", "real"), (240_001, "target missed", "missed")] {
        report.services.truncate(1);
        report.services[0].rto.real = Some(real);
        let sealed = sealed(report.clone());
        assert!(markdown(&sealed, Lang::En).contains(&format!("| {said} |")), "{real}");
        assert!(html(&sealed, Lang::En).contains(&format!("<rect class=\"{drawn}\"")), "{real}");
    }
}

#[test]
fn the_page_fetches_nothing() {
    let page = html(&sealed(live()), Lang::Ko);
    for word in ["href", "src=", "url(", "@import", "<link", "<script", "style=", "http://", "https://"] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn what_others_wrote_is_never_markup_in_markdown() {
    let text = without_escapes(&markdown(&unchecked(hostile(ATTACK)), Lang::En));
    for forbidden in ["<script", "<img", "\u{202e}", "**b**", "`c`", "[l](", "http://", "\n# h"] {
        assert!(!text.contains(forbidden), "{forbidden}\n{text}");
    }
    let columns = |line: &str| line.matches('|').count();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    for pair in text.lines().collect::<Vec<_>>().windows(2) {
        let both = pair.iter().all(|line| line.starts_with('|'));
        assert!(!both || columns(pair[0]) == columns(pair[1]), "{pair:?}");
    }
    assert!(rows.len() > 20);
}

/// What is left to Markdown when every backslash has kept the letter after it from meaning anything.
fn without_escapes(text: &str) -> String {
    let mut letters = text.chars();
    let mut left = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => left.extend(letters.next().filter(|next| !next.is_ascii_punctuation())),
            _ => left.push(letter),
        }
    }
    left
}

/// Moments that no sealed report can have are shown, too.
fn unchecked(report: DrillReport) -> Sealed {
    Sealed { report, digest: ATTACK.into(), signature: None }
}

/// Every element with the names of its attributes. The page is well-formed XML as well.
fn tags(page: &str) -> Vec<(String, Vec<String>)> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let page = roxmltree::Document::parse_with_options(page, options).unwrap();
    let elements = page.descendants().filter(roxmltree::Node::is_element);
    let name = |name: &str| name.to_owned();
    elements
        .map(|node| (name(node.tag_name().name()), node.attributes().map(|one| name(one.name())).collect()))
        .collect()
}

#[test]
fn keys_and_signatures_are_those_of_openssl() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let openssl = |args: &[&str]| run(Command::new(program("openssl")).args(args), "").unwrap();
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", &path("key.pem")]);
    openssl(&["pkey", "-in", &path("key.pem"), "-outform", "DER", "-out", &path("key.der")]);
    openssl(&["pkey", "-in", &path("key.pem"), "-pubout", "-out", &path("public.pem")]);
    openssl(&["pkey", "-in", &path("key.pem"), "-pubout", "-outform", "DER", "-out", &path("public.der")]);
    let bytes = |name: &str| fs::read(path(name)).unwrap();
    let [pem, der] =
        ["key.pem", "key.der"].map(|name| bongsu::report::SigningKey::parse(&bytes(name)).unwrap());
    let public = PublicKey::parse(&bytes("public.pem")).unwrap();
    assert_eq!([PublicKey::parse(&bytes("public.der")).unwrap(), pem.public(), der.public()], [public; 3]);

    let sealed = Sealed::seal(live(), Some(&pem)).unwrap();
    assert_eq!(verify(&[("f".into(), sealed.to_bytes().unwrap())], Some(&public))[0].status, Status::Valid);
    // The other way round: what is in the file is enough for an auditor who has no Bongsu.
    let file = String::from_utf8(sealed.to_bytes().unwrap()).unwrap();
    let report = file.split_once("\"report\":").unwrap().1.split_once(",\"signature\":").unwrap().0;
    fs::write(path("report"), report).unwrap();
    run(
        Command::new(program("openssl")).args(["base64", "-d", "-A", "-out", &path("signature")]),
        &sealed.signature.as_ref().unwrap().value,
    )
    .unwrap();
    let said = openssl(&[
        "pkeyutl",
        "-verify",
        "-rawin",
        "-pubin",
        "-inkey",
        &path("public.pem"),
        "-in",
        &path("report"),
        "-sigfile",
        &path("signature"),
    ]);
    assert!(said.contains("Signature Verified Successfully"), "{said}");
    assert!(openssl(&["dgst", "-sha256", &path("report")]).contains(&sealed.digest));
}

#[test]
fn other_keys_are_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let openssl = |args: &[&str]| run(Command::new(program("openssl")).args(args), "").unwrap();
    openssl(&["genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:x", "-out", &path("locked.pem")]);
    openssl(&["genpkey", "-algorithm", "RSA", "-out", &path("rsa.pem")]);
    openssl(&["pkey", "-in", &path("rsa.pem"), "-pubout", "-out", &path("rsa.pub")]);
    let refused = |name: &str| {
        bongsu::report::SigningKey::parse(&fs::read(path(name)).unwrap()).unwrap_err().to_string()
    };
    assert!(refused("locked.pem").contains("openssl pkey -in KEY"));
    assert!(refused("rsa.pem").contains("openssl genpkey -algorithm ed25519"));
    let public = PublicKey::parse(&fs::read(path("rsa.pub")).unwrap()).unwrap_err();
    assert!(public.to_string().contains("openssl pkey -in KEY -pubout"));
}

fn bongsu(dir: &Path, args: &str) -> (i32, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_bongsu"))
        .args(["report"])
        .args(args.split_whitespace())
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
}

/// A directory with a good report, one that was changed, one without signature, and a public key.
fn files() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    let good = sealed(live()).to_bytes().unwrap();
    write("good.json", &good);
    let changed = String::from_utf8(good).unwrap().replace("\"bad\":3", "\"bad\":0");
    write("changed.json", changed.as_bytes());
    write("unsigned.json", &Sealed::seal(live(), None).unwrap().to_bytes().unwrap());
    // The public half of the key of 32 sevens, as `openssl pkey -pubout -outform DER | tail -c 32 | base64` has it.
    write("public", b"6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=\n");
    write("other", b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    dir
}

#[test]
fn verify_ends_with_what_it_found() {
    let dir = files();
    for (args, code, words) in [
        ("verify good.json", 0, "Valid         good.json  the one before it was not given"),
        ("verify --public-key public good.json", 0, "signed by key"),
        ("verify --public-key other good.json", 1, "BadSignature"),
        ("verify unsigned.json", 0, "Unsigned"),
        ("verify --public-key public unsigned.json", 1, "Unsigned"),
        ("verify good.json changed.json", 1, "Altered       changed.json  the report's digest is"),
        ("verify good.json public", 1, "not a sealed drill report"),
    ] {
        let (ended, out, err) = bongsu(dir.path(), args);
        assert!(ended == code && out.contains(words), "{args}: {ended}\n{out}{err}");
    }
    for (args, words) in [
        ("verify good.json absent.json", "read absent.json"),
        ("verify --public-key absent good.json", "read absent"),
        ("verify --public-key good.json good.json", "use the public key in good.json"),
        ("show public", "not a sealed drill report"),
    ] {
        let (ended, _, err) = bongsu(dir.path(), args);
        assert!(ended == 2 && err.contains(words), "{args}: {ended}\n{err}");
    }
}

#[test]
fn verify_speaks_json_to_other_programs() {
    let (code, out, _) = bongsu(files().path(), "verify --json good.json changed.json");
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, value["good"].as_bool()), (1, Some(false)));
    assert_eq!(value["files"][0]["status"], "Valid");
    assert_eq!(value["files"][0]["number"], "gpki/quarterly-20261102");
    assert_eq!(value["files"][1]["status"], "Altered");
}

#[test]
fn show_prints_every_form_and_refuses_what_was_changed() {
    let dir = files();
    for (args, words) in [
        ("show good.json", "# Drill report: gpki/quarterly-20261102"),
        ("show good.json --lang ko", "# 훈련 결과보고서: gpki/quarterly-20261102"),
        ("show good.json --format html --lang ko", "<html lang=\"ko\">"),
        ("show good.json --format json", "  \"report\": {"),
    ] {
        let (code, out, err) = bongsu(dir.path(), args);
        assert!(code == 0 && out.contains(words), "{args}: {code}\n{out}{err}");
    }
    assert_eq!(bongsu(dir.path(), "show good.json --out page.md").0, 0);
    assert!(fs::read_to_string(dir.path().join("page.md")).unwrap().starts_with("# Drill report"));
    let (code, out, err) = bongsu(dir.path(), "show changed.json");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("changed.json: it was changed after it was sealed"), "{err}");
}

/// Every way to print it in a real browser, without a sandbox because tests may run as root.
fn printed(page: &Path, home: &Path) -> (Vec<u8>, String) {
    let pdf = home.join("page.pdf");
    let out = Command::new(program("chromium"))
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-pdf-header-footer",
            "--enable-logging=stderr",
        ])
        .arg(format!("--user-data-dir={}", home.join("profile").display()))
        .arg(format!("--print-to-pdf={}", pdf.display()))
        .arg(format!("file://{}", page.display()))
        .env("HOME", home)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    (fs::read(&pdf).unwrap_or_else(|error| panic!("{error}\n{said}")), said)
}

#[test]
fn a_browser_prints_the_page_on_some_sheets_and_refuses_none_of_it() {
    let dir = tempfile::tempdir().unwrap();
    for (name, report, sheets) in [("live", live(), 3..=8), ("not-started", not_started(), 1..=3)] {
        for (lang, code) in BOTH {
            let page = dir.path().join(format!("{name}.{code}.html"));
            fs::write(&page, html(&sealed(report.clone()), lang)).unwrap();
            let (pdf, said) = printed(&page, dir.path());
            let text = String::from_utf8_lossy(&pdf);
            let count = text.matches("/Type /Page\n").count();
            assert!(sheets.contains(&count), "{name} {code}: {count} sheets of {} bytes", pdf.len());
            assert!(!said.contains("CONSOLE"), "{name} {code}: {said}");
        }
    }
}
