// The story of tests/e2e/test_sdks.py, told by AWS's SDK for JavaScript. Keys and region stand in the
// environment; what was seen is printed as one line of JSON.
import http from "node:http";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import * as sfn from "@aws-sdk/client-sfn";

const [endpoint, prefix] = process.argv.slice(2);
const ROLE = "arn:aws:iam::123456789012:role/tests";
// What an entry in the hosts file does for a user.
const lookup = (_host, options, done) =>
  options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4);
const client = new sfn.SFNClient({
  endpoint,
  maxAttempts: 1,
  disableHostPrefix: prefix === "off",
  requestHandler: new NodeHttpHandler(
    prefix === "off" ? {} : { httpAgent: new http.Agent({ lookup }) },
  ),
});
const call = (name, input) => client.send(new sfn[`${name}Command`](input));
const machine = (state) => JSON.stringify({ StartAt: "A", States: { A: { ...state, End: true } } });

const name = `javascript-${prefix}`;
const { activityArn } = await call("CreateActivity", { name });
const { stateMachineArn } = await call("CreateStateMachine", {
  name,
  definition: machine({ Type: "Task", Resource: activityArn }),
  roleArn: ROLE,
});
const { executionArn } = await call("StartExecution", { stateMachineArn, input: '{"n":"ä"}' });
const task = await call("GetActivityTask", { activityArn });
await call("SendTaskSuccess", { taskToken: task.taskToken, output: task.input });
const described = await call("DescribeExecution", { executionArn });
const history = await call("GetExecutionHistory", { executionArn });
const express = await call("CreateStateMachine", {
  name: `${name}-express`,
  definition: machine({ Type: "Pass", Result: "hello" }),
  roleArn: ROLE,
  type: "EXPRESS",
});
const sync = await call("StartSyncExecution", { stateMachineArn: express.stateMachineArn });
const tested = await call("TestState", {
  definition: JSON.stringify({ Type: "Pass", Result: 1, End: true }),
});
const refusal = await call("DescribeExecution", { executionArn: `${executionArn}-not` }).catch(
  (error) => error.name,
);
console.log(
  JSON.stringify({
    status: described.status,
    output: described.output,
    started: described.startDate instanceof Date,
    events: history.events.map((event) => event.type),
    sync: sync.output,
    tested: tested.output,
    refusal,
  }),
);
