-- For wrk: an address that nobody has asked for, with each request. See pages.py.
local run, number

function init(args)
  run, number = args[1], 0
end

function request()
  number = number + 1
  return wrk.format("GET", wrk.path .. run .. "-" .. number .. "/")
end
