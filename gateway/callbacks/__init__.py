"""The callbacks page: the link in a mail through which a person answers a task.

``question`` finds in the task's input what to ask (pure), ``page`` writes the HTML (pure), ``desk``
answers the requests. Who may answer is whoever has the task's token, which is the link.
"""
