//! What stands behind a value: fields, indexes, slices and methods.

use super::{
    ast::{Access, Node},
    lexer::{Kind, Word},
    parser::Parser,
};

impl Parser<'_> {
    /// Reads all that stands behind a value.
    pub(super) fn postfix(&mut self, mut node: Node) -> Result<Node, String> {
        loop {
            node = if self.takes(".") {
                self.member(node, Access::Required)?
            } else if self.takes("?.") {
                if self.takes_bracket("[") {
                    self.bracketed(node, Access::Optional)?
                } else {
                    self.member(node, Access::Optional)?
                }
            } else if self.takes_bracket("[") {
                self.bracketed(node, Access::Required)?
            } else {
                return Ok(node);
            };
        }
    }

    fn member(&mut self, node: Node, access: Access) -> Result<Node, String> {
        let name = self.take();
        if !is_field(&name) {
            return Err("expected name".to_owned());
        }
        // A field behind a chain belongs to the chain: nil anywhere in it makes all of it nil.
        let (node, is_chain) = match node {
            Node::Chain(inner) => (inner, true),
            node => (Box::new(node), access == Access::Optional),
        };
        let name = name.text.into_owned();
        let node = if self.takes_bracket("(") {
            Node::Method(node, name, self.listed(")")?, access)
        } else {
            Node::Member(node, Box::new(Node::Text(name.into())), access)
        };
        Ok(if is_chain { Node::Chain(Box::new(node)) } else { node })
    }

    fn bracketed(&mut self, node: Node, access: Access) -> Result<Node, String> {
        let node = Box::new(node);
        if self.takes(":") {
            return Ok(Node::Slice(node, None, self.slice_end()?));
        }
        let from = Box::new(self.expression(0)?);
        if self.takes(":") {
            return Ok(Node::Slice(node, Some(from), self.slice_end()?));
        }
        self.demand_bracket("]")?;
        let member = Node::Member(node, from, access);
        Ok(if access == Access::Optional { Node::Chain(Box::new(member)) } else { member })
    }

    fn slice_end(&mut self) -> Result<Option<Box<Node>>, String> {
        if self.takes_bracket("]") {
            return Ok(None);
        }
        let to = self.expression(0)?;
        self.demand_bracket("]")?;
        Ok(Some(Box::new(to)))
    }
}

/// Words such as `not` and `in` are good names of fields.
fn is_field(word: &Word<'_>) -> bool {
    let is_word = |text: &str| text.starts_with(|it: char| it.is_alphabetic());
    word.kind == Kind::Name || word.kind == Kind::Operator && is_word(&word.text)
}
