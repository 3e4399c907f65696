//! The table of keys as a JSON Schema, for editors, and as a reference, for people.

use serde_json::{Map, Value, json};

use super::key::{Key, Kind, Table};
use super::keys;
use super::service::SECRET;

const NAME: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

/// JSON Schema (draft 2020-12) of the fleet file.
pub fn schema() -> Value {
    let mut schema = table(&keys::FILE);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("ostler fleet file");
    schema["properties"]["fleet"]["pattern"] = json!(NAME);
    schema["properties"]["fleet"]["maxLength"] = json!(keys::FLEET_NAME_MAX);
    schema
}

fn table(of: &'static Table) -> Value {
    let mut properties = Map::new();
    for key in of.known() {
        let mut schema = kind(&key.kind);
        let mut doc = key.doc.to_owned();
        if !key.recipes.is_empty() {
            doc.push_str(&format!(" Recipes: {}.", key.recipes.join(", ")));
        }
        schema["description"] = json!(doc);
        if let Ok(example) = serde_yaml::from_str::<Value>(key.example) {
            schema["examples"] = json!([example]);
        }
        properties.insert(key.name.to_owned(), schema);
    }
    // `defaults` may give a site its host and recipe.
    let given = |key: &&Key| !matches!(key.kind, Kind::Reference(_) | Kind::Word(_));
    let required: Vec<_> = of
        .known()
        .filter(|key| key.required && key.recipes.is_empty())
        .filter(given)
        .map(|key| key.name)
        .collect();
    let mut schema = json!({
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if of.key("recipe").is_some() && of.key("domains").is_some() {
        schema["allOf"] = keys::RECIPES
            .iter()
            .map(|recipe| of_recipe(of, recipe))
            .collect();
    }
    schema
}

/// What one recipe forbids and asks for.
fn of_recipe(of: &Table, recipe: &str) -> Value {
    let foreign = of.keys.iter().filter(|key| !key.belongs_to(recipe));
    let forbidden: Map<_, _> = foreign
        .map(|key| (key.name.to_owned(), json!(false)))
        .collect();
    let own = of
        .keys
        .iter()
        .filter(|k| k.required && k.recipes.contains(&recipe));
    let required: Vec<_> = own.map(|key| key.name).collect();
    json!({
        "if": { "properties": { "recipe": { "const": recipe } }, "required": ["recipe"] },
        "then": { "properties": forbidden, "required": required },
    })
}

fn kind(kind: &Kind) -> Value {
    let number_or_none = |number: Value| json!({ "anyOf": [number, { "const": "none" }] });
    let count =
        |least: u32, most: u32| json!({ "type": "integer", "minimum": least, "maximum": most });
    let words = json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 });
    match kind {
        Kind::Text => json!({ "type": ["string", "number", "boolean"] }),
        Kind::Reference(_) => json!({ "type": "string", "pattern": NAME }),
        Kind::Size => json!({
            "anyOf": [
                { "type": "integer", "minimum": 6_291_456 },
                { "type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?[kKmMgGtT]?|none)$" },
            ]
        }),
        Kind::Cpus => number_or_none(json!({ "type": "number", "minimum": 0.01 })),
        Kind::Count(least, most) => count(*least, *most),
        Kind::CountLimit(least, most) => number_or_none(count(*least, *most)),
        Kind::Seconds(most) => json!({
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": most },
                { "type": "string", "pattern": "^[0-9]+[smh]?$" },
            ]
        }),
        Kind::Days => json!({
            "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": 315_360_000 },
                { "type": "string", "pattern": "^([0-9]+[smhd]?|none)$" },
            ]
        }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Folder => json!({ "type": "string", "pattern": "^/[^:]" }),
        Kind::Domains => {
            json!({ "type": "array", "items": { "type": "string" }, "minItems": 1, "uniqueItems": true })
        }
        Kind::Networks => {
            json!({ "type": ["array", "null"], "items": { "type": "string" }, "uniqueItems": true })
        }
        Kind::List => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Command => words,
        Kind::Texts => json!({
            "type": ["object", "null"],
            "additionalProperties": { "type": ["string", "number", "boolean"] },
        }),
        Kind::One(of) => {
            let mut one = table(of);
            one["type"] = json!("object");
            one["minProperties"] = json!(1);
            one["maxProperties"] = json!(1);
            one
        }
        Kind::NamedOne(of) => {
            json!({ "type": ["object", "null"], "additionalProperties": self::kind(&Kind::One(of)) })
        }
        Kind::Either(single, of) => json!({ "anyOf": [self::kind(single), mapping(of)] }),
        Kind::Several(of) => {
            json!({ "anyOf": [mapping(of), { "type": "array", "items": mapping(of) }] })
        }
        Kind::Redirects => json!({
            "type": ["object", "null"],
            "additionalProperties": { "type": "string", "pattern": "^https?://" },
        }),
        Kind::Mapping(of) => table(of),
        Kind::Named(of) => json!({
            "type": ["object", "null"],
            "propertyNames": { "pattern": NAME },
            "additionalProperties": table(of),
        }),
    }
}

/// A table behind a key that may not be left empty.
fn mapping(of: &'static Table) -> Value {
    let mut mapping = table(of);
    mapping["type"] = json!("object");
    mapping
}

/// The reference of the fleet file as Markdown, for the README.
pub fn reference() -> String {
    let mut text = String::new();
    let mut tables = vec![("The file".to_owned(), &keys::FILE)];
    for key in keys::FILE.keys {
        match key.kind {
            Kind::Named(table) => inner(format!("{}.NAME", key.name), table, &mut tables),
            Kind::Either(_, table) | Kind::Several(table) => {
                inner(key.name.to_owned(), table, &mut tables);
            }
            _ => {}
        }
    }
    // What stands behind several keys is shown once, where it matters most.
    let last = |at: usize| {
        !tables[at + 1..]
            .iter()
            .any(|(_, later)| later.of == tables[at].1.of)
    };
    let shown: Vec<bool> = (0..tables.len()).map(last).collect();
    let shown = tables.into_iter().zip(shown).filter(|(_, shown)| *shown);
    for ((title, table), _) in shown {
        text.push_str(&format!(
            "#### {title}\n\n| key | what it does | default | example |\n|---|---|---|---|\n"
        ));
        for key in table.keys {
            let mut doc = key.doc.to_owned();
            if !key.recipes.is_empty() {
                doc.push_str(&format!(" (Recipes: {}.)", key.recipes.join(", ")));
            }
            let default = match (key.required, key.default) {
                (true, _) => "**required**",
                (false, default) => default,
            };
            let cell = |text: &str| text.replace('|', "\\|");
            text.push_str(&format!(
                "| `{}` | {} | {} | `{}` |\n",
                key.name,
                cell(&doc),
                cell(default),
                cell(key.example)
            ));
        }
        text.push('\n');
    }
    let names: Vec<_> = keys::DEFAULTS
        .known()
        .map(|key| format!("`{}`", key.name))
        .collect();
    text.push_str(&format!(
        "`defaults` knows these keys of a site: {}.\n",
        names.join(", ")
    ));
    text
}

/// A table and those inside it, each with where it stands; its own parts come before what has names.
fn inner(at: String, table: &'static Table, tables: &mut Vec<(String, &'static Table)>) {
    tables.push((format!("`{at}`"), table));
    for key in table.keys {
        if let Kind::Mapping(of) | Kind::Either(_, of) = key.kind
            // What a secret is made of stands once, with the sites'.
            && of.of != SECRET.of
        {
            inner(format!("{at}.{}", key.name), of, tables);
        }
    }
    for key in table.keys {
        if let Kind::NamedOne(of) = key.kind {
            let noun = of.of.trim_start_matches("a ").to_uppercase();
            inner(format!("{at}.{}.{noun}", key.name), of, tables);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_right() {
        for key in keys::SITE.keys {
            let recipe = match key.name {
                "recipe" => key.example,
                _ => key
                    .recipes
                    .iter()
                    .find(|r| **r != "static")
                    .unwrap_or(&"static"),
            };
            let mut fields = vec![
                ("host", "web1"),
                ("recipe", recipe),
                ("domains", "[a.example]"),
            ];
            match recipe {
                "proxy" => fields.push(("to", "old:80")),
                "image" => fields.extend([("image", "wiki:2"), ("port", "80")]),
                _ => {}
            }
            fields.retain(|(name, _)| *name != key.name);
            fields.push((key.name, key.example));
            let lines = fields
                .iter()
                .map(|(name, value)| format!("    {name}: {value}\n"));
            let lines: String = lines.collect();
            let source = format!(
                "fleet: x\nhosts: {{ web1: {{ engine: ssh://a }} }}\naccounts: {{ alice: }}\nsites:\n  a:\n{lines}"
            );
            let path = std::path::Path::new("f");
            if let Err(findings) = crate::fleet::load(&source, path) {
                panic!("{}", crate::fleet::render(&findings, &source, path, false));
            }
        }
        for key in keys::HOST.keys {
            let engine = match key.name {
                "tls" | "insecure" => "tcp://10.0.0.1",
                _ => "ssh://a",
            };
            let engine = if key.name == "engine" {
                key.example
            } else {
                engine
            };
            let other = match key.name {
                "engine" => String::new(),
                "proxy_protocol" => ", proxy_protocol: true, trusted_proxies: [192.0.2.7]".into(),
                name => format!(", {name}: {}", key.example),
            };
            let source = format!("fleet: x\nhosts: {{ a: {{ engine: \"{engine}\"{other} }} }}\n");
            let path = std::path::Path::new("f");
            if let Err(findings) = crate::fleet::load(&source, path) {
                panic!("{}", crate::fleet::render(&findings, &source, path, false));
            }
        }
    }

    #[test]
    fn every_key_is_there() {
        let schema = schema();
        let site = &schema["properties"]["sites"]["additionalProperties"];
        for key in keys::SITE.keys {
            assert!(
                site["properties"][key.name]["description"].is_string(),
                "{}",
                key.name
            );
            assert!(
                reference().contains(&format!("| `{}` |", key.name)),
                "{}",
                key.name
            );
        }
        assert_eq!(site["required"], json!(["domains"]));
        let proxy = &site["allOf"][2];
        assert_eq!(proxy["then"]["properties"]["memory"], json!(false));
        assert_eq!(proxy["then"]["required"], json!(["to"]));
        assert_eq!(
            schema["properties"]["hosts"]["additionalProperties"]["required"],
            json!(["engine"])
        );
    }
}
