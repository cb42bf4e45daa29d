using AgentExecutor.Core.Execution;

namespace AgentExecutor.Core.Graphs.Expressions;

/// <summary>What the names of an expression stand for while it is evaluated, and how much work it may still do.</summary>
internal sealed class Scope(StateView state)
{
    private const int MaxSteps = 200_000;

    private readonly Dictionary<string, object?> _variables = [];
    private int _steps;

    public StateView State => state;

    public object? Variable(string name) => _variables.TryGetValue(name, out var value) ? value
        : name == "item" ? Values.FromJson(state.Item)
        : throw new ExpressionException($"'{name}' is unknown; read channels as state.{name}");

    public object? With(string name, object? value, Term body)
    {
        var had = _variables.TryGetValue(name, out var before);
        _variables[name] = value;
        try
        {
            return body.Evaluate(this);
        }
        finally
        {
            if (had)
            {
                _variables[name] = before;
            }
            else
            {
                _variables.Remove(name);
            }
        }
    }

    public void Step()
    {
        if (++_steps > MaxSteps)
        {
            throw new ExpressionException($"it takes more than {MaxSteps} steps");
        }
    }
}
