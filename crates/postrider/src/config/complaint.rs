//! What is wrong in a file, shown with the line, a caret and what to write instead.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Complaint {
    /// Where, in octets of the file.
    pub(super) span: Range<usize>,
    /// What is wrong, in one line.
    pub(super) title: String,
    /// What stands at the caret.
    pub(super) label: String,
    /// What to do, with an example.
    pub(super) help: String,
}

/// All complaints in the order of the file.
pub(super) fn render(text: &str, name: &str, complaints: &mut [Complaint]) -> String {
    complaints.sort_by_key(|complaint| (complaint.span.start, complaint.span.end));
    let renderer = Renderer::plain();
    let blocks: Vec<String> = complaints
        .iter()
        .take(COMPLAINTS_MAX)
        .map(|complaint| block(&renderer, text, name, complaint))
        .collect();
    blocks.join("\n\n")
}

fn block(renderer: &Renderer, text: &str, name: &str, complaint: &Complaint) -> String {
    let annotation = AnnotationKind::Primary
        .span(complaint.span.clone())
        .label(complaint.label.as_str());
    let report = &[Level::ERROR
        .primary_title(complaint.title.as_str())
        .element(Snippet::source(text).path(name).annotation(annotation))
        .element(Level::HELP.message(complaint.help.as_str()))];
    renderer.render(report)
}

/// More than these are hardly read.
const COMPLAINTS_MAX: usize = 20;
