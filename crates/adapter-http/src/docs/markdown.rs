//! Converts the guides and descriptions from Markdown to HTML.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html::push_html};

use super::guides::GUIDES;

/// A heading of a guide with its content up to the next heading.
pub(super) struct Section {
    pub(super) id: String,
    /// The heading as plain text.
    pub(super) title: String,
    /// The content below the heading.
    pub(super) html: String,
}

/// Splits a guide into sections: the title with its introduction, then one for each heading.
pub(super) fn guide(id: &str, markdown: &str) -> Vec<Section> {
    let mut sections: Vec<(String, Vec<Event<'_>>)> = Vec::new();
    let mut is_heading = false;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                is_heading = true;
                sections.push((String::new(), Vec::new()));
            }
            Event::End(TagEnd::Heading(_)) => is_heading = false,
            event => {
                let Some((title, events)) = sections.last_mut() else {
                    continue;
                };
                if !is_heading {
                    events.push(event);
                } else if let Event::Text(text) | Event::Code(text) = event {
                    title.push_str(&text);
                }
            }
        }
    }
    let sections = sections.into_iter().enumerate();
    sections
        .map(|(at, (title, events))| Section {
            id: if at == 0 {
                id.to_owned()
            } else {
                format!("{id}-{}", slug(&title))
            },
            html: html(events, &title),
            title,
        })
        .collect()
}

/// Renders one paragraph without its `<p>` tags.
pub(super) fn inline(markdown: &str) -> String {
    let html = html(Parser::new(markdown).collect(), "");
    let html = html.trim();
    let without_paragraph = html
        .strip_prefix("<p>")
        .and_then(|rest| rest.strip_suffix("</p>"));
    match without_paragraph {
        Some(without_paragraph) if !without_paragraph.contains("<p>") => {
            without_paragraph.to_owned()
        }
        _ => html.to_owned(),
    }
}

/// The anchor of a heading: `Is it genuine?` becomes `is-it-genuine`.
fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase);
    words.collect::<Vec<_>>().join("-")
}

fn html(events: Vec<Event<'_>>, title: &str) -> String {
    let mut adapted = Vec::new();
    let mut column = None;
    let mut drops_link = false;
    for event in events {
        match event {
            // The page is a single file without images.
            Event::Html(text) | Event::InlineHtml(text) if text.starts_with("<img ") => {}
            // Raw HTML is escaped.
            Event::Html(text) | Event::InlineHtml(text) => adapted.push(Event::Text(text)),
            Event::TaskListMarker(_) => {}
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            }) => {
                let dest_url = link_target(dest_url);
                drops_link = dest_url.is_none();
                adapted.extend(dest_url.map(|dest_url| {
                    Event::Start(Tag::Link {
                        link_type,
                        dest_url,
                        title,
                        id,
                    })
                }));
            }
            Event::End(TagEnd::Link) if drops_link => drops_link = false,
            Event::Start(Tag::Table(columns)) => {
                // Wide tables scroll separately, also by keyboard.
                let label = format!("Table: {}", title.replace('"', ""));
                let open = format!(
                    "<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"{label}\">"
                );
                adapted.push(Event::Html(open.into()));
                adapted.push(Event::Start(Tag::Table(columns)));
            }
            Event::End(TagEnd::Table) => {
                adapted.extend([event, Event::Html("</div>".into())]);
            }
            Event::Start(Tag::TableHead) => {
                column = Some(0);
                adapted.push(event);
            }
            Event::End(TagEnd::TableHead) => {
                column = None;
                adapted.push(event);
            }
            Event::End(TagEnd::TableCell) if column.is_some() => {
                // Columns without a heading get a hidden one for screen readers.
                if matches!(adapted.last(), Some(Event::Start(Tag::TableCell))) {
                    let word = if column == Some(0) { "Name" } else { "Meaning" };
                    adapted.push(Event::Html(
                        format!("<span class=\"hidden\">{word}</span>").into(),
                    ));
                }
                column = column.map(|at| at + 1);
                adapted.push(event);
            }
            event => adapted.push(event),
        }
    }
    let mut html = String::new();
    push_html(&mut html, adapted.into_iter());
    html
}

/// The target on this page of a link between files of the repository; `None` if the page does not
/// contain that file.
fn link_target(link: CowStr<'_>) -> Option<CowStr<'_>> {
    let name = link.rsplit('/').next().unwrap_or_default();
    if link.contains("://") {
        Some(link)
    } else if name.starts_with("create.") {
        Some("#createSession".into())
    } else if name.starts_with("webhook.") {
        Some("#verify".into())
    } else {
        let guide = name.strip_suffix(".md")?;
        let is_here = GUIDES.iter().any(|(id, _)| *id == guide);
        is_here.then(|| format!("#{guide}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_dropped() {
        let sections = guide("one", "# One\n\nA <img src=\"a.webp\" alt=\"b\"> c");
        let html: String = sections
            .iter()
            .map(|section| section.html.as_str())
            .collect();
        assert!(!html.contains("img"), "{html}");
    }

    #[test]
    fn guides_are_split_into_sections_with_anchors() {
        let text = "# One\nIntro.\n\n## Is it `so`?\n- [ ] [yes](../examples/webhook.py)\n";
        let sections = guide("one", text);
        let heads: Vec<_> = sections
            .iter()
            .map(|section| (&*section.id, &*section.title))
            .collect();
        assert_eq!(heads, [("one", "One"), ("one-is-it-so", "Is it so?")]);
        assert_eq!(sections[0].html, "<p>Intro.</p>\n");
        assert!(
            sections[1].html.contains("<a href=\"#verify\">yes</a>"),
            "{}",
            sections[1].html
        );
        assert!(!sections[1].html.contains("input"), "{}", sections[1].html);
    }

    #[test]
    fn links_outside_the_page_are_plain_text() {
        assert_eq!(
            inline("[`shop`](../../crates/shop.rs), [how](other.md), [why](signing.md)"),
            "<code>shop</code>, how, <a href=\"#signing\">why</a>"
        );
    }

    #[test]
    fn raw_html_is_escaped() {
        assert_eq!(inline("a `b` <script>"), "a <code>b</code> &lt;script&gt;");
    }
}
