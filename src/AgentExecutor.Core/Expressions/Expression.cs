using System.Text.Json;
using AgentExecutor.Core.Channels;

namespace AgentExecutor.Core.Expressions;

/// <summary>
/// A condition or value over a state, written in a subset of the Common Expression Language (cel.dev): literals, lists, <c>state.name</c>,
/// <c>item</c>, indexing, arithmetic, comparison, <c>in</c>, <c>&amp;&amp;</c>, <c>||</c>, <c>!</c>, <c>?:</c>, the functions of
/// <see cref="Functions"/> and the macros <c>map</c>, <c>filter</c>, <c>exists</c> and <c>all</c>. Expressions have no side effects, loop
/// only over lists, and do a bounded amount of work.
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

    /// <exception cref="ExpressionException">The text is not a valid expression; the message gives the reason and the position.</exception>
    public static Expression Parse(string text) => new(text, new Parser(text).Parse());

    /// <exception cref="FaultException">The state lacks something that the expression needs
    /// (<see cref="FaultCodes.ExpressionFailed"/>).</exception>
    public JsonElement Evaluate(StateView state) => Guard(() => Values.ToJson(_root.Evaluate(new Scope(state))));

    /// <summary>Evaluates the expression as a condition.</summary>
    /// <exception cref="FaultException">The evaluation fails, or the result is not a boolean
    /// (<see cref="FaultCodes.ExpressionFailed"/>).</exception>
    public bool Holds(StateView state) =>
        Guard(() =>
            _root.Evaluate(new Scope(state)) switch
            {
                bool holds => holds,
                var other => throw new ExpressionException(
                    $"the result is {Values.Describe(other)}, but a condition must be true or false"
                ),
            }
        );

    /// <summary>Evaluates the expression as a list. Null is an empty list.</summary>
    /// <exception cref="FaultException">The evaluation fails, or the result is not a list
    /// (<see cref="FaultCodes.ExpressionFailed"/>).</exception>
    public IReadOnlyList<JsonElement> Items(StateView state) =>
        Guard(() =>
            _root.Evaluate(new Scope(state)) switch
            {
                IReadOnlyList<object?> items => items.Select(Values.ToJson).ToArray(),
                null => [],
                var other => throw new ExpressionException($"the result is {Values.Describe(other)}, but a fan-out requires a list"),
            }
        );

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

/// <summary>An expression cannot be parsed or evaluated.</summary>
#pragma warning disable CA1032 // only the types in this folder create it
public sealed class ExpressionException(string message) : Exception(message);
#pragma warning restore CA1032
