using AgentExecutor.Core;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Expressions;
using AgentExecutor.Core.Json;
using FsCheck;
using FsCheck.Fluent;

namespace AgentExecutor.Tests.Expressions;

public sealed class ExpressionTests
{
    [Theory]
    [InlineData("1 + 2 * 3", "7")]
    [InlineData("(1 + 2) * 3 - -1", "10")]
    [InlineData("10 / 4", "2.5")]
    [InlineData("10 % 4 == 2", "true")]
    [InlineData("'a' + 1 + 'b'", "\"a1b\"")]
    [InlineData("!true || false && true", "false")]
    [InlineData("state.n > 2 ? 'big' : 'small'", "\"big\"")]
    [InlineData("state.orders[1].id", "\"b\"")]
    [InlineData("state.orders[-1].id", "\"b\"")]
    [InlineData("state.orders[9]", "null")]
    [InlineData("state['n']", "3")]
    [InlineData("state.missing", "null")]
    [InlineData("state.missing.deeper == null", "true")]
    [InlineData("state.orders.filter(o, o.amount > 5).map(o, o.id)", "[\"b\"]")]
    [InlineData("state.orders.exists(o, o.id == 'a') && !state.orders.all(o, o.amount > 5)", "true")]
    [InlineData("state.orders.map(o, o.amount).sum()", "12")]
    [InlineData("size(state.orders) + size('abc') + size(null)", "5")]
    [InlineData("'b' in ['a', 'b']", "true")]
    [InlineData("'id' in state.orders[0]", "true")]
    [InlineData("[1, 2] + [3]", "[1,2,3]")]
    [InlineData("'Hello'.upper().contains('ELL')", "true")]
    [InlineData("'v1.25'.matches('^v\\d+') && 'v1.25'.find('\\.(\\d+)').int() == 25", "true")]
    [InlineData("'a,b'.split(',').join('-')", "\"a-b\"")]
    [InlineData("round(2.345, 2)", "2.35")]
    [InlineData("[3, 1, 2].sort().last()", "3")]
    [InlineData("item.x", "7")]
    public void An_expression_is_evaluated(string expression, string expected) =>
        Assert.Equal(expected, JsonBytes.Compact(Expression.Parse(expression).Evaluate(State)));

    [Theory]
    [InlineData("", "the expression is incomplete")]
    [InlineData("1 +", "the expression is incomplete")]
    [InlineData("(1", "')' is missing")]
    [InlineData("state..x", "a name is expected")]
    [InlineData("1 1", "is unexpected (character 3)")]
    [InlineData("'open", "no closing quote")]
    [InlineData("nope(1)", "there is no function 'nope'")]
    [InlineData("size(1, 2)", "takes 1 arguments, not 2")]
    [InlineData("a.map(1, 2)", "requires a variable")]
    [InlineData("1.2.3", "is not a number")]
    public void An_invalid_expression_is_rejected_when_it_is_parsed(string expression, string expected) =>
        Assert.Contains(expected, Assert.Throws<ExpressionException>(() => Expression.Parse(expression)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("1 / 0", "division by zero")]
    [InlineData("'a' < 1", "cannot be compared")]
    [InlineData("'a' * 2", "is not a number")]
    [InlineData("nobody + 1", "'nobody' is unknown")]
    [InlineData("1 && true", "neither true nor false")]
    [InlineData("'x'.matches('(')", "not a valid regular expression")]
    [InlineData("int('x')", "'x' is not a number")]
    public void A_failed_evaluation_gives_the_reason(string expression, string expected)
    {
        var fault = Assert.Throws<FaultException>(() => Expression.Parse(expression).Evaluate(State));

        Assert.Equal(FaultCodes.ExpressionFailed, fault.Code);
        Assert.Contains(expected, fault.Message, StringComparison.Ordinal);
        Assert.Contains(expression, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_work_of_an_evaluation_is_bounded()
    {
        var list = $"[{string.Join(',', Enumerable.Range(0, 70))}]";

        var fault = Assert.Throws<FaultException>(() =>
            Expression.Parse($"{list}.map(a, {list}.map(b, {list}.map(c, a + b + c).sum()).sum()).sum()").Evaluate(State)
        );

        Assert.Contains("steps", fault.Message, StringComparison.Ordinal);
        Assert.Throws<ExpressionException>(() => Expression.Parse(new string('(', 1_000) + "1" + new string(')', 1_000)));
        Assert.Throws<ExpressionException>(() => Expression.Parse(new string('1', 5_000)));
    }

    [Fact]
    public void Any_text_is_parsed_or_rejected_without_a_crash() =>
        Check.QuickThrowOnFailure(
            Prop.ForAll<string>(text =>
            {
                try
                {
                    Expression.Parse(text ?? "");
                }
                catch (ExpressionException)
                {
                    // The text was rejected, as expected.
                }
            })
        );

    [Theory]
    [InlineData("\"{{ state.n }}\"", "3")]
    [InlineData("\"n is {{ state.n }}!\"", "\"n is 3!\"")]
    [InlineData("""{"a": ["{{ item.x }}", "plain"], "b": 1}""", """{"a":[7,"plain"],"b":1}""")]
    [InlineData("\"{{ state.orders }}\"", """[{"id":"a","amount":5},{"id":"b","amount":7}]""")]
    public void A_template_is_filled(string template, string expected) =>
        Assert.Equal(expected, JsonBytes.Compact(Template.Parse(Engine.Json(template)).Fill(State)));

    [Fact]
    public void An_unclosed_template_is_rejected() =>
        Assert.Throws<ExpressionException>(() => Template.Parse(Engine.Json("\"{{ state.n\"")));

    private static StateView State
    {
        get
        {
            var channels = new ChannelSet([new LastValueChannel("n"), new LastValueChannel("orders")]);
            return new StateView(
                new ChannelState(
                    channels,
                    [
                        new ChannelSlot(Engine.Json("3"), 1, default),
                        new ChannelSlot(Engine.Json("""[{"id":"a","amount":5},{"id":"b","amount":7}]"""), 1, default),
                    ]
                ),
                Engine.Json("""{"x": 7}""")
            );
        }
    }
}
