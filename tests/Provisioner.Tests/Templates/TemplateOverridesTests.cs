using Provisioner.Templates;
using Provisioner.Tests.Appliance;

namespace Provisioner.Tests.Templates;

public sealed class TemplateOverridesTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly TemplateEngine engine = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void A_sites_own_template_stands_in_place_of_the_built_in_one()
    {
        Write("cloud-init/meta-data", "# ours\ninstance-id: {{yaml instance}}\nlocal-hostname: {{yaml hostname}}\n");

        engine.Override(TemplateOverrides.Read(engine, directory.Path, out var problems));

        Assert.Empty(problems);
        Assert.StartsWith("# ours\n", engine.Render("cloud-init/meta-data", new Dictionary<string, object?> { ["instance"] = "a", ["hostname"] = "no" }));
        engine.Override(new Dictionary<string, string>());
        Assert.StartsWith("instance-id", engine.Render("cloud-init/meta-data", new Dictionary<string, object?> { ["instance"] = "a", ["hostname"] = "no" }));
    }

    [Theory]
    [InlineData("a\n{{instance}}\n", 2, "passes no quoting helper")]
    [InlineData("{{{yaml instance}}}\n", 1, "passes no quoting helper")]
    [InlineData("a\nb\n{{yaml host}}\n", 3, "there is no value 'host' here; there are hostname, instance")]
    [InlineData("{{#if instance}}\n", 1, "is not closed")]
    [InlineData("x\n{{/if}}\n", 2, "closes what is not open")]
    [InlineData("{{>other}}\n", 1, "passes no quoting helper")]
    [InlineData("{{lookup . 'x'}}\n", 1, "passes no quoting helper")]
    public void A_bad_one_is_refused_with_its_line_and_the_built_in_one_is_used_on(string text, int line, string reason)
    {
        Write("cloud-init/meta-data", text);

        var good = TemplateOverrides.Read(engine, directory.Path, out var problems);

        Assert.Empty(good);
        var problem = Assert.Single(problems);
        Assert.Equal(directory["cloud-init/meta-data.hbs"], problem.File);
        Assert.Equal(line, problem.Line);
        Assert.Contains(reason, problem.Message);
    }

    [Fact]
    public void A_name_that_is_no_template_is_told()
    {
        Write("kickstart/kss", "text\n");

        Assert.Empty(TemplateOverrides.Read(engine, directory.Path, out var problems));
        Assert.Contains("did you mean 'kickstart/ks'?", Assert.Single(problems).Message);
    }

    [Fact]
    public void One_that_fails_when_it_is_used_is_told_and_the_built_in_one_is_used()
    {
        // A value of an inner mapping, asked for outside: no check of the text alone finds that.
        engine.Override(new Dictionary<string, string> { ["cloud-init/meta-data"] = "{{yaml nothing}}" });
        string? failed = null;
        engine.OverrideFailed = (name, _) => failed = name;

        Assert.StartsWith("instance-id", engine.Render("cloud-init/meta-data", new Dictionary<string, object?> { ["instance"] = "a", ["hostname"] = "b" }));
        Assert.Equal("cloud-init/meta-data", failed);
    }

    [Fact]
    public void The_built_in_ones_keep_their_own_rules() =>
        Assert.All(TemplateEngine.BuiltIn, name => Assert.Empty(TemplateOverrides.Check(engine, name, TemplateEngine.Source(name))));

    [Fact]
    public async Task The_command_line_lists_shows_and_checks_them_without_a_service()
    {
        var listed = (await CommandOutcome.OfAsync("", ["template", "list"])).Succeeded();
        Assert.Equal(TemplateEngine.BuiltIn, listed.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("kickstart/ks\n", listed, StringComparison.Ordinal);
        var shown = (await CommandOutcome.OfAsync("", ["template", "show", "cloud-init/meta-data"])).Succeeded();
        Assert.Equal(TemplateEngine.Source("cloud-init/meta-data"), shown);
        var unknown = await CommandOutcome.OfAsync("", ["template", "show", "cloud-init/meta"]);
        Assert.Equal((1, ""), (unknown.ExitCode, unknown.Output));
        Assert.Contains("there is no template 'cloud-init/meta'", unknown.Error, StringComparison.Ordinal);

        Assert.Contains("the built-in templates are used", (await CommandOutcome.OfAsync("", ["template", "check", directory["none"]])).Succeeded(), StringComparison.Ordinal);
        // What was shown is a good one to begin with; the other is told with file and line, and one bad one is enough to fail.
        Write("templates/cloud-init/meta-data", shown);
        Assert.Equal("cloud-init/meta-data is good.\n", (await CommandOutcome.OfAsync("", ["template", "check", "--data", directory.Path])).Succeeded());
        Write("templates/kickstart/ks", "lang en\nhostname {{host}}\n");
        var checkedBoth = await CommandOutcome.OfAsync("", ["template", "check", directory["templates"]]);
        Assert.Equal(1, checkedBoth.ExitCode);
        Assert.Equal("cloud-init/meta-data is good.\n", checkedBoth.Output);
        Assert.StartsWith($"{directory["templates/kickstart/ks.hbs"]}:2: '{{{{host}}}}' passes no quoting helper", checkedBoth.Error, StringComparison.Ordinal);
    }

    private void Write(string name, string text)
    {
        var file = directory[name + ".hbs"];
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }
}
