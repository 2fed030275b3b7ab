using System.Text.Json.Nodes;

namespace Provisioner.Installing;

internal sealed partial class AnswerFiles
{
    private string CloudInit(SeedContext context, InstallPlan plan)
    {
        var options = plan.Options;
        var files = new JsonArray();
        foreach (var file in Files(context, plan))
            files.Add(new JsonObject { ["path"] = file.Path, ["permissions"] = file.Mode, ["content"] = file.Text });
        files.Add(new JsonObject
        {
            ["path"] = "/run/provisioner/start",
            ["permissions"] = "0700",
            ["content"] = templates.Render("cloud-init/start", new Dictionary<string, object?>
            {
                ["report"] = Report(context),
                ["networkd"] = !plan.Network.IsPlain,
                ["enrols"] = context.Secrets.Token is not null,
                ["before"] = options.Before,
                ["proxy"] = options.Proxy,
                ["units"] = join.UnitsFor(context).ToList(),
                ["after"] = options.After,
            }),
        });
        var packages = options.Packages.IsEmpty ? null : new JsonArray([.. options.Packages.Select(JsonNode? (p) => p)]);
        var apt = options is { Repositories.IsEmpty: true, Mirror: null } || plan.Target.IsRhel ? null : Sources(context, plan);
        var ntp = plan.Ntp.IsEmpty ? null : new JsonObject { ["enabled"] = true, ["servers"] = new JsonArray([.. plan.Ntp.Select(JsonNode? (n) => n)]) };
        var users = Users(plan);
        return Checked("cloud-init/user-data", new Dictionary<string, object?>
        {
            ["hostname"] = plan.Host,
            ["timeZone"] = options.TimeZone,
            ["locale"] = options.Locale,
            ["keyboard"] = options.Keyboard,
            ["users"] = users,
            ["ntp"] = ntp,
            ["apt"] = apt,
            ["packages"] = packages,
            ["files"] = files,
        }, With(new JsonObject
        {
            ["hostname"] = plan.Host,
            ["preserve_hostname"] = false,
            ["timezone"] = options.TimeZone,
            ["locale"] = options.Locale,
            ["keyboard"] = new JsonObject { ["layout"] = options.Keyboard },
            ["disable_root"] = true,
            ["ssh_pwauth"] = false,
            ["users"] = users.DeepClone(),
            ["ntp"] = ntp?.DeepClone(),
            ["apt"] = apt?.DeepClone(),
            ["packages"] = packages?.DeepClone(),
            ["write_files"] = files.DeepClone(),
            ["runcmd"] = new JsonArray(new JsonArray("sh", "/run/provisioner/start")),
        }));
    }

    private static JsonObject Sources(SeedContext context, InstallPlan plan)
    {
        var apt = Apt(context, plan);
        apt.Remove("geoip"); // The installer's own key.
        apt["preserve_sources_list"] = plan.Options.Mirror is null;
        return apt;
    }
}
