using System.CommandLine;
using Provisioner.Appliance;
using Provisioner.Templates;

namespace Provisioner.Cli;

/// <summary><c>provisioner template list | show | check</c>: needs no service.</summary>
internal static class TemplateCommand
{
    public static Command Create(Screen screen)
    {
        var command = new TeachingCommand("template", "The texts that scripts and answer files are made from, and this site's own in their places.",
            "provisioner template list",
            "provisioner template show kickstart/ks > /var/lib/provisioner/templates/kickstart/ks.hbs",
            "provisioner template check")
        {
            List(screen), Show(screen), Check(screen),
        };
        return command;
    }

    private static TeachingCommand List(Screen screen)
    {
        var command = new TeachingCommand("list", "The built-in templates by name.", "provisioner template list");
        command.SetAction(_ =>
        {
            foreach (var name in TemplateEngine.BuiltIn)
                screen.Output.WriteLine(name);
            return CommandLine.Done;
        });
        return command;
    }

    private static TeachingCommand Show(Screen screen)
    {
        var name = new Argument<string>("NAME") { Description = "A built-in template, such as kickstart/ks." };
        var command = new TeachingCommand("show", "Print a built-in template, to begin one's own with.", "provisioner template show autoinstall/user-data") { name };
        command.SetAction(parsed =>
        {
            try
            {
                screen.Output.Write(TemplateEngine.Source(parsed.GetValue(name)!));
                return CommandLine.Done;
            }
            catch (TemplateException)
            {
                screen.Error.WriteLine($"provisioner: there is no template '{parsed.GetValue(name)}': provisioner template list");
                return CommandLine.Failed;
            }
        });
        return command;
    }

    private static TeachingCommand Check(Screen screen)
    {
        var directory = new Argument<string?>("DIR") { Description = "The directory with this site's templates; 'templates' in the data directory when not given.", Arity = ArgumentArity.ZeroOrOne };
        var data = new Option<string?>("--data") { Description = $"The data directory; {Privileges.DefaultDataDirectory} unless said otherwise.", HelpName = "DIR" };
        var command = new TeachingCommand("check", "Say what is wrong with this site's templates: file, line, and what is missing.",
            "provisioner template check",
            "provisioner template check ./templates") { directory, data };
        command.SetAction(parsed =>
        {
            var where = parsed.GetValue(directory) ?? Path.Combine(parsed.GetValue(data) ?? Privileges.DefaultDataDirectory, "templates");
            if (!Directory.Exists(where))
            {
                screen.Output.WriteLine($"There is no {where}: the built-in templates are used.");
                return CommandLine.Done;
            }
            var good = TemplateOverrides.Read(new TemplateEngine(), where, out var problems);
            foreach (var problem in problems)
                screen.Error.WriteLine(problem);
            foreach (var name in good.Keys.Order(StringComparer.Ordinal))
                screen.Output.WriteLine($"{name} is good.");
            return problems.Count == 0 ? CommandLine.Done : CommandLine.Failed;
        });
        return command;
    }
}
