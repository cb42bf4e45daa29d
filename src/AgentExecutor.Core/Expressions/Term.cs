using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Expressions;

/// <summary>A node of an expression's syntax tree.</summary>
internal abstract record Term
{
    public abstract object? Evaluate(Scope scope);

    public sealed record Literal(object? Value) : Term
    {
        public override object? Evaluate(Scope scope) => Value;
    }

    public sealed record Name(string Text) : Term
    {
        public override object? Evaluate(Scope scope) =>
            Text == "state"
                ? throw new ExpressionException("'state' by itself is not a value; read one of its channels, such as state.messages")
                : scope.Variable(Text);
    }

    public sealed record Member(Term Target, string Field) : Term
    {
        public override object? Evaluate(Scope scope)
        {
            scope.Step();
            return Target is Name { Text: "state" } ? Values.FromJson(scope.State.Json(Field)) : Get(Target.Evaluate(scope), Field);
        }

        public static object? Get(object? target, string field) =>
            target switch
            {
                null => null,
                JsonElement json => json.Property(field) is { } value ? Values.FromJson(value) : null,
                _ => throw new ExpressionException($"{Values.Describe(target)} has no field '{field}'"),
            };
    }

    public sealed record Index(Term Target, Term Key) : Term
    {
        public override object? Evaluate(Scope scope)
        {
            scope.Step();
            var key = Key.Evaluate(scope);
            if (Target is Name { Text: "state" })
            {
                return Values.FromJson(scope.State.Json(Values.Text(key)));
            }
            var target = Target.Evaluate(scope);
            if (target is not IReadOnlyList<object?> items)
            {
                return Member.Get(target, Values.Text(key));
            }
            var index = Values.Number(key);
            index = index < 0 ? items.Count + index : index;
            return index >= 0 && index < items.Count ? items[(int)index] : null;
        }
    }

    public sealed record ListOf(IReadOnlyList<Term> Items) : Term
    {
        public override object? Evaluate(Scope scope) => Items.Select(item => item.Evaluate(scope)).ToArray();
    }

    public sealed record Not(Term Operand) : Term
    {
        public override object? Evaluate(Scope scope) => !IsTrue(Operand.Evaluate(scope));
    }

    public sealed record Negate(Term Operand) : Term
    {
        public override object? Evaluate(Scope scope) => -Values.Number(Operand.Evaluate(scope));
    }

    public sealed record Choice(Term Condition, Term Then, Term Else) : Term
    {
        public override object? Evaluate(Scope scope) => IsTrue(Condition.Evaluate(scope)) ? Then.Evaluate(scope) : Else.Evaluate(scope);
    }

    public sealed record Binary(string Operator, Term Left, Term Right) : Term
    {
        public override object? Evaluate(Scope scope)
        {
            scope.Step();
            if (Operator is "&&" or "||")
            {
                var left = IsTrue(Left.Evaluate(scope));
                return left == (Operator == "||") ? left : IsTrue(Right.Evaluate(scope));
            }
            return Apply(Left.Evaluate(scope), Right.Evaluate(scope));
        }

        private object? Apply(object? left, object? right) =>
            Operator switch
            {
                "==" => Values.Equals(left, right),
                "!=" => !Values.Equals(left, right),
                "<" => Values.Compare(left, right) < 0,
                "<=" => Values.Compare(left, right) <= 0,
                ">" => Values.Compare(left, right) > 0,
                ">=" => Values.Compare(left, right) >= 0,
                "in" => Functions.In(left, right),
                "+" when left is IReadOnlyList<object?> a && right is IReadOnlyList<object?> b => a.Concat(b).ToArray(),
                "+" when left is string || right is string => Values.Text(left) + Values.Text(right),
                "+" => Values.Number(left) + Values.Number(right),
                "-" => Values.Number(left) - Values.Number(right),
                "*" => Values.Number(left) * Values.Number(right),
                "/" => Values.Number(right) == 0
                    ? throw new ExpressionException("division by zero")
                    : Values.Number(left) / Values.Number(right),
                _ => Values.Number(right) == 0
                    ? throw new ExpressionException("division by zero")
                    : Values.Number(left) % Values.Number(right),
            };
    }

    public sealed record Call(string Function, IReadOnlyList<Term> Arguments) : Term
    {
        public override object? Evaluate(Scope scope)
        {
            scope.Step();
            return Functions.Call(Function, [.. Arguments.Select(argument => argument.Evaluate(scope))]);
        }
    }

    /// <summary>A macro over a list, such as <c>list.map(x, body)</c>.</summary>
    public sealed record Macro(string Kind, Term List, string Variable, Term Body) : Term
    {
        public static readonly IReadOnlyList<string> Kinds = ["map", "filter", "exists", "all"];

        public override object? Evaluate(Scope scope)
        {
            var items = Functions.List(List.Evaluate(scope));
            return Kind switch
            {
                "map" => items.Select(item => EvaluateBody(scope, item)).ToArray(),
                "filter" => items.Where(item => IsTrue(EvaluateBody(scope, item))).ToArray(),
                "exists" => items.Any(item => IsTrue(EvaluateBody(scope, item))),
                _ => items.All(item => IsTrue(EvaluateBody(scope, item))),
            };
        }

        private object? EvaluateBody(Scope scope, object? item)
        {
            scope.Step();
            return scope.With(Variable, item, Body);
        }
    }

    private static bool IsTrue(object? value) =>
        value is bool flag ? flag : throw new ExpressionException($"{Values.Describe(value)} is neither true nor false");
}
