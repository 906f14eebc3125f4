//! Judges an answer by a CEL expression. Both come from outside, the answer from a member that may be broken or taken
//! over: depth, loops and texts are limited, and no panic gets out.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock},
};

use cel::{
    Context, Env, Program, Value,
    common::ast::{EntryExpr, Expr, IdedExpr},
    objects::{Key, Map},
};
use http::HeaderMap;

use super::{line::line, shared::Shared};

/// Brackets and conditionals open at once in an expression. 32 is far more than a person can read.
const NESTING_MAX: usize = 32;

/// Stack of the thread that compiles. 16 MiB: the parser needs more than 64 KiB for each bracket in a debug build
/// (measured: 32 overflow the 2 MiB of a worker), and no `catch_unwind` catches an overflow. Only touched pages count.
const COMPILER_STACK_BYTES: usize = 16 << 20;

/// Depth of the parsed expression: `1+1+1+…` is deep without a bracket, and the evaluation recurses on a worker. 24: a
/// debug build needs about 40 KiB for each level (measured: 64 overflow 2 MiB), so half of the stack stays free. `&&`
/// and `||` do not count one by one: the parser balances them.
const DEPTH_MAX: usize = 24;

/// Loops within loops. 2 says "all elements of all lists"; the third would make the work the cube of the answer.
const LOOPS_MAX: u32 = 2;

/// Rounds of the innermost loop for one answer. 100,000: about 0.1 s in a release build, a tenth of the shortest usual
/// interval, on a thread that other samples wait for.
const ROUNDS_MAX: usize = 100_000;

/// What an expression may name: the answer, and the types of the language.
const NAMES: [&str; 14] = [
    "body",
    "status",
    "headers",
    "bool",
    "bytes",
    "double",
    "dyn",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];

/// The language without extensions. Made once: it takes longer than a judgement.
static LANGUAGE: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// The expressions in use.
#[derive(Default)]
pub(super) struct Expressions(Shared<Arc<str>, Expect>);

/// A compiled expression.
pub(super) struct Expect {
    program: Program,
    loops: u32,
}

impl Expressions {
    /// Compiles an expression, unless an equal one is in use.
    pub(super) fn compile(&self, source: &Arc<str>) -> Result<Arc<Expect>, String> {
        self.0.get_or_make(source, || Expect::compile(source))
    }
}

impl Expect {
    fn compile(source: &str) -> Result<Self, String> {
        if nesting(source) > NESTING_MAX {
            return Err(format!("more than {NESTING_MAX} brackets or conditionals within each other"));
        }
        let compiled = std::thread::scope(|scope| {
            let compiler = std::thread::Builder::new().stack_size(COMPILER_STACK_BYTES);
            compiler.spawn_scoped(scope, || LANGUAGE.compile(source)).map(|thread| thread.join())
        });
        let compiled = compiled.map_err(|error| format!("no thread for the compiler: {error}"))?;
        let compiled = compiled.map_err(|_| "the compiler failed".to_owned())?;
        let program = compiled.map_err(|errors| match errors.errors.first() {
            Some(first) => line(format_args!("line {}, column {}: {}", first.pos.0, first.pos.1, first.msg)),
            None => "syntax error".to_owned(),
        })?;
        let mut survey = Survey { scope: Vec::new(), loops: 0 };
        survey.visit(program.expression(), 0, 0)?;
        Ok(Self { loops: survey.loops, program })
    }

    /// Whether the answer is right; if not, why.
    ///
    /// # Errors
    /// The expression is false, is not a truth value, or cannot be evaluated over this answer.
    pub(super) fn judge(
        &self,
        status: u16,
        headers: &HeaderMap,
        body: serde_json::Value,
    ) -> Result<(), String> {
        let mut largest = 0;
        let body = cel_value(body, &mut largest);
        let rounds = largest.saturating_pow(self.loops);
        if rounds > ROUNDS_MAX {
            return Err(format!("expect: a list of {largest} elements is too long for {} loops", self.loops));
        }
        let mut context = Context::with_env(Arc::clone(&LANGUAGE));
        context.add_variable_from_value("body", body);
        context.add_variable_from_value("status", i64::from(status));
        context.add_variable_from_value("headers", header_map(headers));
        // AssertUnwindSafe: what the panic may have left half done is dropped here and seen by nobody.
        match catch_unwind(AssertUnwindSafe(|| self.program.execute(&context))) {
            Ok(Ok(Value::Bool(true))) => Ok(()),
            Ok(Ok(Value::Bool(false))) => Err("expect is false".to_owned()),
            Ok(Ok(value)) => Err(line(format_args!("expect is a {}, not true or false", value.type_of()))),
            Ok(Err(error)) => Err(line(format_args!("expect: {error}"))),
            Err(_) => Err("expect: the evaluation failed".to_owned()),
        }
    }
}

/// Most brackets and conditionals open at once. Counts those in string literals too: a bound, not a parser.
fn nesting(source: &str) -> usize {
    let mut depth = 0_usize;
    let mut conditionals = 0;
    let mut deepest = 0;
    for letter in source.chars() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '?' => conditionals += 1,
            _ => {}
        }
        deepest = deepest.max(depth + conditionals);
    }
    deepest
}

/// Walks an expression once, to refuse at the start what would fail at each sample.
struct Survey {
    scope: Vec<String>,
    loops: u32,
}

impl Survey {
    fn visit(&mut self, node: &IdedExpr, depth: usize, loops: u32) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!("deeper than {DEPTH_MAX} operators"));
        }
        let next = depth + 1;
        match &node.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.visit(&select.operand, next, loops),
            Expr::List(list) => list.elements.iter().try_for_each(|node| self.visit(node, next, loops)),
            Expr::Call(call) => {
                call.target.iter().try_for_each(|node| self.visit(node, next, loops))?;
                call.args.iter().try_for_each(|node| self.visit(node, next, loops))
            }
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| self.entry(&entry.expr, next, loops)),
            Expr::Struct(made) => {
                made.entries.iter().try_for_each(|entry| self.entry(&entry.expr, next, loops))
            }
            Expr::Comprehension(all) => {
                self.visit(&all.iter_range, next, loops)?;
                self.visit(&all.accu_init, next, loops)?;
                self.enter_loop(loops + 1)?;
                let outer = self.scope.len();
                self.scope.extend([all.iter_var.clone(), all.accu_var.clone()]);
                self.scope.extend(all.iter_var2.clone());
                for node in [&all.loop_cond, &all.loop_step, &all.result] {
                    self.visit(node, next, loops + 1)?;
                }
                self.scope.truncate(outer);
                Ok(())
            }
        }
    }

    fn entry(&mut self, entry: &EntryExpr, depth: usize, loops: u32) -> Result<(), String> {
        match entry {
            EntryExpr::StructField(field) => self.visit(&field.value, depth, loops),
            EntryExpr::MapEntry(entry) => {
                self.visit(&entry.key, depth, loops)?;
                self.visit(&entry.value, depth, loops)
            }
        }
    }

    fn enter_loop(&mut self, loops: u32) -> Result<(), String> {
        self.loops = self.loops.max(loops);
        if loops > LOOPS_MAX { Err(format!("more than {LOOPS_MAX} loops within each other")) } else { Ok(()) }
    }

    /// A misspelt name would make every answer wrong, and move a service that is well.
    fn name(&self, name: &str) -> Result<(), String> {
        if NAMES.contains(&name) || self.scope.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(line(format_args!("unknown name {name}: write body, status or headers")))
    }
}

/// JSON as the language sees it: whole numbers are `int`, as in Kubernetes, so that `body.height + 1` works.
fn cel_value(json: serde_json::Value, largest: &mut usize) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::Int(value),
            (None, Some(value)) => Value::UInt(value),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::String(Arc::new(text)),
        serde_json::Value::Array(items) => {
            *largest = (*largest).max(items.len());
            Value::List(Arc::new(items.into_iter().map(|item| cel_value(item, largest)).collect()))
        }
        serde_json::Value::Object(fields) => {
            *largest = (*largest).max(fields.len());
            let fields = fields.into_iter().map(|(name, value)| (text_key(name), cel_value(value, largest)));
            Value::Map(Map { map: Arc::new(fields.collect()) })
        }
    }
}

/// Headers with lower-case names; the values of a repeated one are joined as RFC 9110 says.
fn header_map(headers: &HeaderMap) -> Value {
    let mut joined: HashMap<String, String> = HashMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str().to_owned())
            .and_modify(|known| {
                known.push_str(", ");
                known.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    let fields = joined.into_iter().map(|(name, value)| (text_key(name), Value::String(Arc::new(value))));
    Value::Map(Map { map: Arc::new(fields.collect()) })
}

fn text_key(name: String) -> Key {
    Key::String(Arc::new(name))
}

#[cfg(test)]
mod tests;
