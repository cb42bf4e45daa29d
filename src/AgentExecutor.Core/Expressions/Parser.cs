using System.Globalization;
using System.Text;

namespace AgentExecutor.Core.Expressions;

/// <summary>A recursive-descent parser. The precedence is that of CEL, from the ternary operator down to members and calls.</summary>
internal sealed class Parser(string text)
{
    private const int MaxDepth = 64;
    private const int MaxLength = 4096;

    private static readonly string[][] Precedence =
    [
        ["||"],
        ["&&"],
        ["==", "!=", "<=", ">=", "<", ">", "in"],
        ["+", "-"],
        ["*", "/", "%"],
    ];

    private int _at;
    private int _depth;

    public Term Parse()
    {
        if (text.Length > MaxLength)
        {
            throw Fault($"the expression is longer than {MaxLength} characters");
        }
        var term = Ternary();
        SkipSpace();
        return _at == text.Length ? term : throw Fault($"'{text[_at]}' is unexpected");
    }

    private Term Ternary()
    {
        if (++_depth > MaxDepth)
        {
            throw Fault($"the expression is nested more than {MaxDepth} levels deep");
        }
        var condition = Operators(0);
        if (Take("?"))
        {
            var then = Ternary();
            Expect(":");
            condition = new Term.Choice(condition, then, Ternary());
        }
        _depth--;
        return condition;
    }

    private Term Operators(int level)
    {
        if (level == Precedence.Length)
        {
            return Unary();
        }
        var left = Operators(level + 1);
        while (TakeAny(Precedence[level]) is { } found)
        {
            left = new Term.Binary(found, left, Operators(level + 1));
        }
        return left;
    }

    private Term Unary()
    {
        var operators = new Stack<char>();
        SkipSpace();
        while (_at < text.Length && text[_at] is '!' or '-')
        {
            operators.Push(text[_at++]);
            SkipSpace();
        }
        var term = Postfix();
        while (operators.TryPop(out var sign))
        {
            term = sign == '!' ? new Term.Not(term) : new Term.Negate(term);
        }
        return term;
    }

    private Term Postfix()
    {
        var term = Primary();
        while (true)
        {
            if (Take("."))
            {
                var name = Identifier() ?? throw Fault("a name is expected after '.'");
                term = Take("(") ? Method(term, name) : new Term.Member(term, name);
            }
            else if (Take("["))
            {
                term = new Term.Index(term, Ternary());
                Expect("]");
            }
            else
            {
                return term;
            }
        }
    }

    private Term Method(Term target, string name)
    {
        if (Term.Macro.Kinds.Contains(name))
        {
            var variable = Identifier() ?? throw Fault($"{name} requires a variable and an expression, as in {name}(x, x > 1)");
            Expect(",");
            var body = Ternary();
            Expect(")");
            return new Term.Macro(name, target, variable, body);
        }
        return Call(name, [target, .. Arguments(")")]);
    }

    private Term Primary()
    {
        SkipSpace();
        if (_at == text.Length)
        {
            throw Fault("the expression is incomplete");
        }
        return text[_at] switch
        {
            '(' => Parenthesised(),
            '[' => ListLiteral(),
            '"' or '\'' => new Term.Literal(Quoted()),
            >= '0' and <= '9' => new Term.Literal(Number()),
            _ => Named(),
        };
    }

    private Term Parenthesised()
    {
        _at++;
        var term = Ternary();
        Expect(")");
        return term;
    }

    private Term.ListOf ListLiteral()
    {
        _at++;
        return new Term.ListOf(Arguments("]"));
    }

    private Term Named()
    {
        var name = Identifier() ?? throw Fault($"'{text[_at]}' is unexpected");
        return name switch
        {
            "true" => new Term.Literal(true),
            "false" => new Term.Literal(false),
            "null" => new Term.Literal(null),
            _ => Take("(") ? Call(name, Arguments(")")) : new Term.Name(name),
        };
    }

    private Term.Call Call(string name, IReadOnlyList<Term> arguments)
    {
        var arity =
            Functions.ArityOf(name)
            ?? throw Fault($"there is no function '{name}'; the functions are {string.Join(", ", Functions.Names)}");
        return arity == arguments.Count
            ? new Term.Call(name, arguments)
            : throw Fault($"'{name}' takes {arity} arguments, not {arguments.Count}");
    }

    private List<Term> Arguments(string close)
    {
        var arguments = new List<Term>();
        if (Take(close))
        {
            return arguments;
        }
        do
        {
            arguments.Add(Ternary());
        } while (Take(","));
        Expect(close);
        return arguments;
    }

    private string Quoted()
    {
        var quote = text[_at++];
        var value = new StringBuilder();
        while (_at < text.Length && text[_at] != quote)
        {
            value.Append(text[_at] == '\\' && _at + 1 < text.Length ? Escaped(text[++_at]) : text[_at]);
            _at++;
        }
        if (_at == text.Length)
        {
            throw Fault("a string has no closing quote");
        }
        _at++;
        return value.ToString();
    }

    private static string Escaped(char character) =>
        character switch
        {
            'n' => "\n",
            't' => "\t",
            '\\' or '\'' or '"' => character.ToString(),
            _ => $"\\{character}", // escapes of regular expressions need not be doubled
        };

    private double Number()
    {
        var start = _at;
        while (
            _at < text.Length
            && (char.IsAsciiDigit(text[_at]) || text[_at] is '.' or 'e' or 'E' || (text[_at] is '+' or '-' && text[_at - 1] is 'e' or 'E'))
        )
        {
            _at++;
        }
        return double.TryParse(text.AsSpan(start, _at - start), NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw Fault($"'{text[start.._at]}' is not a number");
    }

    private string? Identifier()
    {
        SkipSpace();
        var start = _at;
        while (_at < text.Length && (char.IsAsciiLetter(text[_at]) || text[_at] == '_' || (_at > start && char.IsAsciiDigit(text[_at]))))
        {
            _at++;
        }
        return _at == start ? null : text[start.._at];
    }

    private string? TakeAny(string[] operators) => Array.Find(operators, Take);

    private bool Take(string token)
    {
        SkipSpace();
        if (string.CompareOrdinal(text, _at, token, 0, token.Length) != 0)
        {
            return false;
        }
        var after = _at + token.Length;
        if (char.IsAsciiLetter(token[0]) && after < text.Length && (char.IsAsciiLetterOrDigit(text[after]) || text[after] == '_'))
        {
            return false;
        }
        _at = after;
        return true;
    }

    private void Expect(string token)
    {
        if (!Take(token))
        {
            throw Fault(_at < text.Length ? $"'{token}' is expected, not '{text[_at]}'" : $"'{token}' is missing at the end");
        }
    }

    private void SkipSpace()
    {
        while (_at < text.Length && char.IsWhiteSpace(text[_at]))
        {
            _at++;
        }
    }

    private ExpressionException Fault(string what) => new($"{what} (character {_at + 1})");
}
