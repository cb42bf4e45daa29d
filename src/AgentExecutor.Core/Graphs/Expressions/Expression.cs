using System.Text.Json;
using AgentExecutor.Core.Execution;

namespace AgentExecutor.Core.Graphs.Expressions;

/// <summary>
/// A condition or value over a state, in a subset of the Common Expression Language (cel.dev): literals, lists, <c>state.name</c>, <c>item</c>,
/// indexing, arithmetic, comparison, <c>in</c>, <c>&amp;&amp;</c>, <c>||</c>, <c>!</c>, <c>?:</c>, the functions of <see cref="Functions"/> and the macros
/// <c>map</c>, <c>filter</c>, <c>exists</c> and <c>all</c>. No effects, no loops but over lists, bounded work.
/// </summary>
public sealed class Expression
{
    private readonly Term _root;

    private Expression(string text, Term root)
    {
        Text = text;
        _root = root;
    }

    public string Text { get; }

    /// <exception cref="ExpressionException">The text is no expression; the message says at which character and why.</exception>
    public static Expression Parse(string text) => new(text, new Parser(text).Parse());

    /// <exception cref="FaultException"><see cref="FaultCodes.ExpressionFailed"/>: the state has not what the expression needs.</exception>
    public JsonElement Evaluate(StateView state) => Guard(() => Values.ToJson(_root.Evaluate(new Scope(state))));

    /// <summary>The value as a condition: true only for JSON true.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.ExpressionFailed"/>: it fails, or gives no boolean.</exception>
    public bool Holds(StateView state) => Guard(() => _root.Evaluate(new Scope(state)) switch
    {
        bool holds => holds,
        var other => throw new ExpressionException($"it gives {Values.Describe(other)}, and a condition needs true or false"),
    });

    /// <summary>The value as a list.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.ExpressionFailed"/>: it fails, or gives no list.</exception>
    public IReadOnlyList<JsonElement> Items(StateView state) => Guard(() => _root.Evaluate(new Scope(state)) switch
    {
        IReadOnlyList<object?> items => items.Select(Values.ToJson).ToArray(),
        null => [],
        var other => throw new ExpressionException($"it gives {Values.Describe(other)}, and a fan-out needs a list"),
    });

    private T Guard<T>(Func<T> evaluate)
    {
        try
        {
            return evaluate();
        }
        catch (ExpressionException exception)
        {
            throw new FaultException(FaultCodes.ExpressionFailed, $"the expression '{Text}' failed: {exception.Message}", inner: exception);
        }
    }
}

/// <summary>An expression cannot be read or evaluated.</summary>
#pragma warning disable CA1032 // made in this folder alone
public sealed class ExpressionException(string message) : Exception(message);
#pragma warning restore CA1032
