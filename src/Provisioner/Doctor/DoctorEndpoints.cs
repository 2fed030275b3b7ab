using System.Text.Json.Nodes;
using Provisioner.Api;
using Provisioner.Joining;

namespace Provisioner.Doctor;

/// <summary>The examination by the API.</summary>
internal static class DoctorEndpoints
{
    public static void MapDoctor(this IEndpointRouteBuilder api) =>
        api.MapGet("/doctor", async (HttpContext context, Examination examination) => Json.Answer(Json.List((await examination.RunAsync(context.RequestAborted)).Select(Describe))));

    /// <summary>In the form that findings about hosts have.</summary>
    public static JsonObject Describe(Finding finding) => Json.WithoutNulls(new()
    {
        ["code"] = finding.Code,
        ["verdict"] = Json.Word(finding.Verdict),
        ["found"] = finding.Found,
        ["breaks"] = finding.Breaks.Length == 0 ? null : finding.Breaks,
        ["ask"] = finding.Ask.Length == 0 ? null : finding.Ask,
    });
}
