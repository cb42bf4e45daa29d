using AgentExecutor.Core.Channels;

namespace AgentExecutor.Core.Expressions;

/// <summary>The variables of an expression during its evaluation, and the amount of work that it may still do.</summary>
internal sealed class Scope(StateView state)
{
    private const int MaxSteps = 200_000;

    private readonly Dictionary<string, object?> _variables = [];
    private int _steps;

    public StateView State => state;

    public object? Variable(string name) =>
        _variables.TryGetValue(name, out var value) ? value
        : name == "item" ? Values.FromJson(state.Item)
        : throw new ExpressionException($"'{name}' is unknown; use state.{name} to read a channel");

    public object? With(string name, object? value, Term body)
    {
        var wasSet = _variables.TryGetValue(name, out var previous);
        _variables[name] = value;
        try
        {
            return body.Evaluate(this);
        }
        finally
        {
            if (wasSet)
            {
                _variables[name] = previous;
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
            throw new ExpressionException($"the evaluation takes more than {MaxSteps} steps");
        }
    }
}
