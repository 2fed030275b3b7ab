using System.Text.RegularExpressions;
using Provisioner.Templates;

namespace Provisioner.Tests.Templates;

public sealed partial class TemplateEngineTests
{
    private readonly TemplateEngine engine = new();

    public static TheoryData<string> All { get; } = [.. TemplateEngine.BuiltIn];

    [Fact]
    public void The_built_in_templates_are_there() => Assert.Contains("ipxe/install", TemplateEngine.BuiltIn);

    [Theory]
    [MemberData(nameof(All))]
    public void Every_value_passes_a_quoting_helper(string name)
    {
        foreach (Match expression in Expression().Matches(TemplateEngine.Source(name)))
            Assert.Matches(TemplateOverrides.Allowed, expression.Groups[1].Value);
    }

    [Fact]
    public void A_missing_value_fails_with_the_templates_name()
    {
        var e = Assert.Throws<TemplateException>(() => engine.Render("ipxe/waiting", new Dictionary<string, object?>()));

        Assert.Equal("ipxe/waiting", e.Template);
        Assert.Contains("mac", e.Message);
    }

    [Fact]
    public void A_template_that_does_not_exist_fails_by_name() =>
        Assert.Throws<TemplateException>(() => engine.Render("ipxe/nothing", new Dictionary<string, object?>()));

    [GeneratedRegex(@"\{\{([^}]*)\}\}")]
    private static partial Regex Expression();
}
