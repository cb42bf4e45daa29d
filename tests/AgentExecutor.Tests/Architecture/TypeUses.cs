using Mono.Cecil;
using Mono.Cecil.Cil;

namespace AgentExecutor.Tests.Architecture;

/// <summary>
/// Finds out which types of a compiled assembly use which other types of it: in signatures, fields, attributes and method bodies.
/// </summary>
/// <remarks>
/// A nested type, including those that the compiler generates for closures and asynchronous methods, counts as part of its outermost type.
/// Uses of constants are not found, because the compiler copies their values.
/// </remarks>
internal sealed class TypeUses
{
    private readonly HashSet<TypeUse> _uses = [];
    private readonly ModuleDefinition _module;

    private TypeUses(ModuleDefinition module) => _module = module;

    public static IReadOnlyList<TypeUse> Read(string assemblyFile)
    {
        using var resolver = new DefaultAssemblyResolver();
        foreach (var folder in RuntimeFolders())
        {
            resolver.AddSearchDirectory(folder);
        }

        using var module = ModuleDefinition.ReadModule(assemblyFile, new ReaderParameters { AssemblyResolver = resolver });
        var reader = new TypeUses(module);
        foreach (var type in module.GetTypes())
        {
            reader.ReadType(type);
        }

        return [.. reader._uses.OrderBy(use => use.ToString(), StringComparer.Ordinal)];
    }

    private static IEnumerable<string> RuntimeFolders() =>
        ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator)
            .Select(file => Path.GetDirectoryName(file)!)
            .Distinct();

    private void ReadType(TypeDefinition type)
    {
        Add(type, type.BaseType);
        AddAttributes(type, type);
        AddConstraints(type, type);
        foreach (var implementation in type.Interfaces)
        {
            Add(type, implementation.InterfaceType);
        }

        foreach (var field in type.Fields)
        {
            Add(type, field.FieldType);
            AddAttributes(type, field);
        }

        foreach (var property in type.Properties)
        {
            AddAttributes(type, property);
        }

        foreach (var method in type.Methods)
        {
            AddSignature(type, method);
            AddAttributes(type, method);
            AddConstraints(type, method);
            if (method.HasBody)
            {
                ReadBody(type, method.Body);
            }
        }
    }

    private void ReadBody(TypeDefinition type, MethodBody body)
    {
        foreach (var variable in body.Variables)
        {
            Add(type, variable.VariableType);
        }

        foreach (var handler in body.ExceptionHandlers)
        {
            Add(type, handler.CatchType);
        }

        foreach (var instruction in body.Instructions)
        {
            AddOperand(type, instruction);
        }
    }

    private void AddOperand(TypeDefinition type, Instruction instruction)
    {
        switch (instruction.Operand)
        {
            case TypeReference operand:
                Add(type, operand);
                break;
            case FieldReference field:
                Add(type, field.DeclaringType);
                Add(type, field.FieldType);
                break;
            case MethodReference method:
                Add(type, method.DeclaringType);
                AddSignature(type, method);
                break;
        }
    }

    private void AddSignature(TypeDefinition type, MethodReference method)
    {
        Add(type, method.ReturnType);
        foreach (var parameter in method.Parameters)
        {
            Add(type, parameter.ParameterType);
        }

        if (method is GenericInstanceMethod generic)
        {
            foreach (var argument in generic.GenericArguments)
            {
                Add(type, argument);
            }
        }
    }

    private void AddConstraints(TypeDefinition type, IGenericParameterProvider generic)
    {
        foreach (var constraint in generic.GenericParameters.SelectMany(parameter => parameter.Constraints))
        {
            Add(type, constraint.ConstraintType);
        }
    }

    private void AddAttributes(TypeDefinition type, ICustomAttributeProvider member)
    {
        foreach (var attribute in member.CustomAttributes)
        {
            Add(type, attribute.AttributeType);
            foreach (var argument in attribute.ConstructorArguments.Select(it => it.Value).OfType<TypeReference>())
            {
                Add(type, argument);
            }
        }
    }

    private void Add(TypeDefinition user, TypeReference? used)
    {
        switch (used)
        {
            case null or GenericParameter:
                return;
            case GenericInstanceType generic:
                Add(user, generic.ElementType);
                foreach (var argument in generic.GenericArguments)
                {
                    Add(user, argument);
                }

                return;
            case TypeSpecification specification:
                Add(user, specification.ElementType);
                return;
        }

        if (used.Scope == _module && Outermost(user) is var from && Outermost(used) is var to && from.FullName != to.FullName)
        {
            _uses.Add(new TypeUse(from.Namespace, from.Name, to.Namespace, to.Name));
        }
    }

    private static TypeReference Outermost(TypeReference type) => type.DeclaringType is { } declaring ? Outermost(declaring) : type;
}

/// <summary>One type uses another.</summary>
internal sealed record TypeUse(string FromNamespace, string FromType, string ToNamespace, string ToType)
{
    public override string ToString() => $"{FromNamespace}.{FromType} uses {ToNamespace}.{ToType}";
}
