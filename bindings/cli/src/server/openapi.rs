//! The description of the interface, for programs and people.

/// OpenAPI 3.1, as `/openapi.json` answers it.
pub const DOCUMENT: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::forms::Form;
    use crate::server::routes::ROUTES;
    use serde_json::Value;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    #[test]
    fn it_describes_every_route_and_no_other() {
        let mut described = Vec::new();
        for (path, item) in document()["paths"].as_object().unwrap() {
            let methods = item.as_object().unwrap().keys().map(|method| method.to_uppercase());
            described.extend(methods.map(|method| (method, path.clone())));
        }
        let mut routes = ROUTES.map(|(method, path)| (method.to_owned(), path.to_owned())).to_vec();
        described.sort();
        routes.sort();
        assert_eq!(described, routes);
    }

    #[test]
    fn it_names_every_form_and_mechanism_and_this_version() {
        let document = document();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        for path in ["/attention", "/attention/batch", "/attention/stream"] {
            let content = document["paths"][path]["post"]["requestBody"]["content"].as_object().unwrap();
            let mut kinds: Vec<&str> = content.keys().map(String::as_str).collect();
            let mut forms = Form::ALL.map(Form::media_type).to_vec();
            kinds.sort_unstable();
            forms.sort_unstable();
            assert_eq!(kinds, forms, "{path}");
        }
        let names = document["components"]["schemas"]["AttentionType"]["enum"].as_array().unwrap();
        let mut names: Vec<&str> = names.iter().map(|name| name.as_str().unwrap()).collect();
        let mut known = [attention::features(), &["cross", "self"]].concat();
        names.sort_unstable();
        known.sort_unstable();
        assert_eq!(names, known);
    }
}
